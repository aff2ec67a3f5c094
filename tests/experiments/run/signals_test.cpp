#include <algorithm>
#include <csignal>
#include <filesystem>

#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// A run that goes on until a signal ends it, with no checkpoint in time.
class Endless {
 public:
  explicit Endless(std::int64_t window = 3) {
    Json config = small(1000000);
    config["estimator"]["window"] = window;
    config["record"]["checkpoint"] = {{"minutes", 60}};
    folder.write("a.json", config.dump());
  }

  /// Starts the run by "`before` nestgrad run ...", does `then` after its first
  /// steps, or when another file than that of steps is there, where $p is its
  /// process, and waits for its end. Returns its exit code.
  int code_after(const std::string& before, const std::string& then,
                 const std::string& file = "metrics.jsonl") const {
    const Ended ended = shell(
        folder.path(""),
        fmt::format("rm -rf run; {} '{}' run a.json --quiet --out run & p=$!; "
                    "until [ -s run/{} ]; do sleep 0.1; done; {}; "
                    "wait $p; echo code $?",
                    before, NESTGRAD_PROGRAM, file, then));
    CAPTURE(ended.output);
    const std::size_t at = ended.output.rfind("code ");
    REQUIRE(at != std::string::npos);
    return std::stoi(ended.output.substr(at + 5));
  }

  bool has_checkpoint() const {
    return fs::exists(folder.path("run/checkpoints/checkpoint-000001"));
  }

  TemporaryFolder folder;
};

}  // namespace

TEST_CASE(
    "a lost terminal ends a run with a checkpoint, however often it is "
    "told",
    "[resume]") {
  const Endless run;
  // The kernel sends SIGHUP, and so does the shell.
  CHECK(run.code_after("",
                       "kill -HUP $p; kill -HUP $p; sleep 0.1; kill -HUP $p "
                       "2>/dev/null") == 128 + SIGHUP);
  CHECK(run.has_checkpoint());
  CHECK(json_of(run.folder.path("run/summary.json"))["termination"] ==
        "stopped");
}

TEST_CASE(
    "a signal that comes twice within a second ends a run with a checkpoint, "
    "one that comes later ends it at once",
    "[resume]") {
  const Endless run;
  CHECK(run.code_after("",
                       "kill -TERM $p; sleep 0.05; kill -TERM $p "
                       "2>/dev/null") == 128 + SIGTERM);
  CHECK(run.has_checkpoint());
  // As a terminal and a batch system that end together.
  CHECK(run.code_after("",
                       "kill -HUP $p; sleep 0.05; kill -TERM $p "
                       "2>/dev/null") == 128 + SIGHUP);
  CHECK(run.has_checkpoint());
  // In the middle of an outer step of minutes.
  const Endless slow(10000000);
  CHECK(slow.code_after("", "sleep 1; kill -TERM $p; sleep 1.5; kill -TERM $p",
                        "run.json") == 128 + SIGTERM);
  CHECK_FALSE(slow.has_checkpoint());
}

TEST_CASE("a run under nohup survives the loss of the terminal", "[resume]") {
  const Endless run;
  CHECK(run.code_after("nohup", "kill -HUP $p; sleep 0.5; kill -TERM $p") ==
        128 + SIGTERM);
  CHECK(run.has_checkpoint());
}

TEST_CASE("SIGXCPU ends a run with a checkpoint", "[resume]") {
  const Endless run;
  CHECK(run.code_after("", "kill -XCPU $p") == 128 + SIGXCPU);
  CHECK(run.has_checkpoint());
}

TEST_CASE("SIGUSR1 writes a checkpoint, and the run goes on", "[resume]") {
  const Endless run;
  const std::string wait_for_checkpoint =
      "for i in $(seq 200); do [ -e run/checkpoints/checkpoint-000001 ] && "
      "break; sleep 0.1; done";
  const int code = run.code_after(
      "", "ls run/checkpoints 2>/dev/null; kill -USR1 $p; " +
              wait_for_checkpoint +
              "; cp -r run/checkpoints asked; a=$(wc -l < run/metrics.jsonl); "
              "until [ $(wc -l < run/metrics.jsonl) -gt $a ]; do sleep 0.1; "
              "done; kill -TERM $p");
  CHECK(code == 128 + SIGTERM);
  CHECK(fs::exists(run.folder.path("asked/checkpoint-000001")));
}

TEST_CASE("a run whose reader has ended writes a checkpoint and ends quietly",
          "[resume]") {
  const Endless run;
  for (const char* before : {"", "trap '' PIPE; "}) {
    CAPTURE(before);
    fs::remove_all(run.folder.path("run"));
    const Ended ended = shell(
        run.folder.path(""),
        fmt::format("({}{{ '{}' run a.json --verbose --out run; echo code $? "
                    ">&2; }} | head -1)",
                    before, NESTGRAD_PROGRAM));
    CAPTURE(ended.output);
    // The first line of the run, and the exit code.
    CHECK(std::count(ended.output.begin(), ended.output.end(), '\n') == 2);
    CHECK_THAT(ended.output, ContainsSubstring("code 141"));
    CHECK(run.has_checkpoint());
  }
}

TEST_CASE("a sweep passes requests for checkpoints on to its runs", "[sweep]") {
  const TemporaryFolder folder;
  Json config = small(1000000);
  config["record"]["checkpoint"] = {{"minutes", 60}};
  folder.write("s.json", Json{{"config", config}, {"seeds", 1}}.dump());
  const Ended ended = shell(
      folder.path(""),
      fmt::format("'{}' sweep s.json --quiet --out s & p=$!; "
                  "d=s/trial-0001-seed-1; "
                  "until [ -s $d/metrics.jsonl ]; do sleep 0.1; done; "
                  "kill -USR1 $p; for i in $(seq 200); do "
                  "[ -e $d/checkpoints/checkpoint-000001 ] && break; "
                  "sleep 0.1; done; ls $d/checkpoints; kill -HUP $p; wait $p; "
                  "echo code $?",
                  NESTGRAD_PROGRAM));
  CAPTURE(ended.output);
  CHECK_THAT(ended.output, ContainsSubstring("checkpoint-000001"));
  CHECK_THAT(ended.output, ContainsSubstring("code 129"));
}

}  // namespace nestgrad
