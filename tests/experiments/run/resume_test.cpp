// What `nestgrad resume` promises, step by step; tests/kills interrupts runs at
// random moments.

#include <filesystem>
#include <fstream>

#include "core/platform/files.h"
#include "experiments/record/checkpoints.h"
#include "experiments/record/folder_lock.h"
#include "experiments/record/json_lines.h"
#include "experiments/run/difference.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> checkpoints_in(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder + "/checkpoints")) {
    out.push_back(entry.path().filename());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Two runs of 10 steps: one that was left alone, and one as a kill leaves it
/// that comes after step 8, with checkpoints of steps 4 and 8.
class Interrupted {
 public:
  Interrupted() {
    folder.write("a.json", small(10).dump());
    REQUIRE(program(folder.path(""), "run a.json --quiet --out whole").code ==
            0);
    Json stopped = small(10);
    stopped["record"]["checkpoint"]["keep"] = 5;
    folder.write("b.json", stopped.dump());
    REQUIRE(program(folder.path(""), "run b.json --quiet --out run").code == 0);
    const auto all = checkpoints_in(folder.path("run"));
    REQUIRE(all.size() == 4);  // steps 4 and 8, the end of tuning, the end
    fs::remove(folder.path("run/checkpoints/" + all[3]));
    fs::remove(folder.path("run/checkpoints/" + all[2]));
    fs::remove(folder.path("run/summary.json"));
  }

  Ended resume(const std::string& options = "",
               const std::string& before = "") const {
    return program(folder.path(""), "resume run " + options, before);
  }

  std::string file(const std::string& name) const {
    return folder.path("run/" + name);
  }

  /// It ended with what the run that was left alone ended with.
  void check_same() const {
    CHECK(read_file(file("weights.safetensors")) ==
          read_file(folder.path("whole/weights.safetensors")));
    CHECK(read_file(file("hyperparameters.safetensors")) ==
          read_file(folder.path("whole/hyperparameters.safetensors")));
    const auto lines = parse_json_lines(read_file(file("metrics.jsonl")));
    const auto expected =
        parse_json_lines(read_file(folder.path("whole/metrics.jsonl")));
    REQUIRE(lines.size() == expected.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(lines[i]["step"] == expected[i]["step"]);
      // The start has no estimate.
      if (i > 0) CHECK(lines[i]["outer_loss"] == expected[i]["outer_loss"]);
    }
    CHECK(json_of(file("summary.json"))["retrained_found"] ==
          json_of(folder.path("whole/summary.json"))["retrained_found"]);
  }

  TemporaryFolder folder;
};

}  // namespace

TEST_CASE(
    "a run is resumed from its newest checkpoint and cuts off later lines",
    "[resume]") {
  const Interrupted run;
  std::ofstream(run.file("metrics.jsonl"), std::ios::app) << "{\"step\": 11, ";
  std::ofstream(run.file("weights.safetensors.tmp-1-0")) << "half";
  std::ofstream(run.file("notes.tmp-mine")) << "whole";
  const Ended ended = run.resume();
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("continues after outer step 8"));
  run.check_same();
  CHECK_FALSE(fs::exists(run.file("weights.safetensors.tmp-1-0")));
  CHECK(fs::exists(run.file("notes.tmp-mine")));
  CHECK(json_of(run.file("run.json"))["resumed"][0]["outer_step"] == 8);
}

TEST_CASE("a damaged checkpoint is passed over with a warning", "[resume]") {
  const Interrupted run;
  const std::string newest =
      run.file("checkpoints/" + checkpoints_in(run.file("")).back());
  std::string bytes = read_file(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_file(newest, bytes);
  const Ended ended = run.resume();
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("skipping a damaged checkpoint"));
  CHECK_THAT(ended.output, ContainsSubstring("continues after outer step 4"));
  CHECK(fs::exists(newest + ".damaged"));
  run.check_same();
}

TEST_CASE("a run whose checkpoints are all damaged is not begun again",
          "[resume]") {
  const Interrupted run;
  for (const std::string& name : checkpoints_in(run.file(""))) {
    write_file(run.file("checkpoints/" + name), "nonsense");
  }
  const std::string before = read_file(run.file("metrics.jsonl"));
  for (int i = 0; i < 2; ++i) {
    const Ended ended = run.resume();
    CHECK(ended.code == 2);
    CHECK_THAT(ended.output, ContainsSubstring("all checkpoints in"));
  }
  CHECK(read_file(run.file("metrics.jsonl")) == before);
}

TEST_CASE("a run that gets more steps and is killed is not at its end",
          "[resume]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(6).dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const std::string more = "resume run --quiet --set outer.steps=100000";
  CHECK(program(folder.path(""), more, "timeout -s KILL 4").code == 137);
  // The new configuration is that of the checkpoints by now.
  const Ended on = program(folder.path(""), "resume run --quiet", "timeout 4");
  CAPTURE(on.output);
  CHECK(on.code == 124);
  CHECK(parse_json_lines(read_file(folder.path("run/metrics.jsonl"))).size() >
        10);
}

TEST_CASE("a run that stops early ends at the same step after every kill",
          "[resume]") {
  const TemporaryFolder folder;
  Json config = small(1000);
  config["outer"]["stop"] = {{"patience", 7}, {"improvement", 1000}};
  config["record"]["checkpoint"] = {{"steps", 1}, {"keep", 100}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const auto all = checkpoints_in(folder.path("run"));
  const std::string weights = read_file(folder.path("run/weights.safetensors"));
  for (std::size_t last = all.size(); last-- > all.size() - 4;) {
    CAPTURE(last);
    fs::remove(folder.path("run/checkpoints/" + all[last]));
    REQUIRE(program(folder.path(""), "resume run --quiet").code == 0);
    CHECK(json_of(folder.path("run/summary.json"))["outer_steps"] == 8);
    CHECK(read_file(folder.path("run/weights.safetensors")) == weights);
    for (const std::string& name : checkpoints_in(folder.path("run"))) {
      if (std::find(all.begin(),
                    all.begin() + static_cast<std::ptrdiff_t>(last),
                    name) == all.begin() + static_cast<std::ptrdiff_t>(last)) {
        fs::remove(folder.path("run/checkpoints/" + name));
      }
    }
  }
}

TEST_CASE("a run that diverged diverges again, or goes on with other settings",
          "[resume]") {
  const TemporaryFolder folder;
  Json config = small(20);
  config["inner"] = {{"type", "sgd"}, {"lr", 1e6}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 3);
  CHECK(program(folder.path(""), "resume run --quiet").code == 3);
  CHECK(
      program(folder.path(""), "resume run --quiet --set inner.lr=0.1").code ==
      0);
}

TEST_CASE("a checkpoint of another format stops a resume", "[resume]") {
  const Interrupted run;
  write_file(run.file("checkpoints/checkpoint-000009"),
             "nestgrad checkpoint 7 00000000 0\n");
  const Ended ended = run.resume();
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("it has format 7"));
}

TEST_CASE("a changed configuration is refused with the differences",
          "[resume]") {
  const Interrupted run;
  Json config = json_of(run.file("config.json"));
  config["outer"]["steps"] = 12;
  config["outer"]["lr"] = 0.1;
  write_file(run.file("config.json"), config.dump());
  const Ended refused = run.resume();
  CAPTURE(refused.output);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.output, ContainsSubstring("outer.steps: 10 -> 12"));
  CHECK_THAT(refused.output, ContainsSubstring("outer.lr: 0.05 -> 0.1"));
  CHECK(run.resume("--allow outer.steps").code == 2);
  const Ended allowed = run.resume("--allow outer.steps outer.lr");
  CAPTURE(allowed.output);
  REQUIRE(allowed.code == 0);
  CHECK(json_of(run.file("summary.json"))["outer_steps"] == 12);
  CHECK(json_of(run.file("run.json"))["resumed"][0]["changed"].size() == 2);
}

TEST_CASE("a checkpoint that is older than a key or its name is resumed",
          "[resume]") {
  const Interrupted run;
  Checkpoints checkpoints(run.file("checkpoints"), 5);
  const auto saved = checkpoints.newest([](const std::string&) {});
  REQUIRE(saved);
  Json about = saved->about;
  REQUIRE(about["config"]["inner"].erase("minibatches") == 1);
  REQUIRE(about["config"].erase("precision") == 1);
  about["config"]["dtype"] = "float32";
  checkpoints.write(saved->snapshot, about);
  Json config = json_of(run.file("config.json"));
  config["inner"].erase("minibatches");
  config.erase("precision");
  config["dtype"] = "float32";
  write_file(run.file("config.json"), config.dump());

  const Ended ended = run.resume();
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  run.check_same();
}

TEST_CASE("what does not fit the checkpoint is refused even if it is allowed",
          "[resume]") {
  const Interrupted run;
  for (const char* change :
       {"--set problem.model.hidden=[9]", "--set inner=adam"}) {
    const Ended ended = run.resume(change);
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    CHECK_THAT(ended.output, ContainsSubstring("does not fit"));
  }
  CHECK(run.resume("--set estimator.windw=3").code == 2);
}

TEST_CASE("other data stop a resume unless they are allowed", "[resume]") {
  const TemporaryFolder folder;
  const auto csv = [&](double shift) {
    std::string text = "a,b,label\n";
    for (int i = 0; i < 40; ++i) {
      text += fmt::format("{},{},{}\n", i % 7 + shift, i % 5, i % 2);
    }
    folder.write("d.csv", text);
  };
  csv(0);
  Json config = small(10);
  config["problem"]["data"] = {{"type", "csv"},
                               {"file", "d.csv"},
                               {"train", 20},
                               {"valid", 10},
                               {"test", 10}};
  folder.write("a.json", config.dump());
  const Ended first = program(folder.path(""), "run a.json --quiet --out run");
  CAPTURE(first.output);
  REQUIRE(first.code == 0);
  fs::remove(folder.path("run/summary.json"));
  csv(0.5);
  const Ended ended = program(folder.path(""), "resume run");
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("the data have changed"));
  CHECK(program(folder.path(""), "resume run --allow data").code == 0);
}

TEST_CASE("a run that has ended is left alone unless it gets more steps",
          "[resume]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(6).dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const std::string before = read_file(folder.path("run/summary.json"));
  const Ended again = program(folder.path(""), "resume run");
  CHECK(again.code == 0);
  CHECK_THAT(again.output, ContainsSubstring("nothing is left to do"));
  CHECK(read_file(folder.path("run/summary.json")) == before);
  REQUIRE(program(folder.path(""), "resume run --set outer.steps=10").code ==
          0);
  folder.write("b.json", small(10).dump());
  REQUIRE(program(folder.path(""), "run b.json --quiet --out whole").code == 0);
  CHECK(read_file(folder.path("run/weights.safetensors")) ==
        read_file(folder.path("whole/weights.safetensors")));
}

TEST_CASE("a signal writes a checkpoint and the exit code names it",
          "[resume]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(100000).dump());
  const Ended ended =
      program(folder.path(""), "run a.json --out run", "timeout -s TERM 4");
  CAPTURE(ended.output);
  CHECK(ended.code == 124);  // of timeout itself
  CHECK_THAT(ended.output, ContainsSubstring("stopped after outer step"));
  CHECK_THAT(ended.output,
             ContainsSubstring("'nestgrad resume run' continues it"));
  const Json summary = json_of(folder.path("run/summary.json"));
  CHECK(summary["termination"] == "stopped");
  const Ended on =
      program(folder.path(""), "resume run", "timeout --preserve-status 3");
  CAPTURE(on.output);
  CHECK(on.code == 143);
  CHECK_THAT(on.output,
             ContainsSubstring(fmt::format("continues after outer step {} of",
                                           summary["outer_steps"].get<int>())));
}

TEST_CASE("two processes cannot work in one folder", "[resume]") {
  const Interrupted run;
  {
    const FolderLock lock(run.file(""));
    const Ended ended = run.resume();
    CHECK(ended.code == 2);
    CHECK_THAT(ended.output, ContainsSubstring("another process ("));
    CHECK_THAT(program(run.folder.path(""), "run a.json --out run").output,
               ContainsSubstring("already contains files"));
  }
  CHECK(run.resume().code == 0);
}

TEST_CASE("a file that cannot be written ends a run and costs nothing",
          "[resume]") {
  const Interrupted run;
  const auto before = checkpoints_in(run.file(""));
  // One block, as a disk that is full; the shell knows the limit.
  const Ended ended = run.resume("", "ulimit -f 1;");
  CAPTURE(ended.output);
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("cannot write"));
  CHECK_THAT(ended.output, ContainsSubstring("File too large"));
  CHECK(checkpoints_in(run.file("")) == before);
  // In the final runs, too, it is no divergence.
  const Ended final_runs = run.resume(
      "--set record.checkpoint.steps=0 --set record.checkpoint.minutes=0",
      "ulimit -f 1;");
  CAPTURE(final_runs.output);
  CHECK(final_runs.code == 2);
  REQUIRE(run.resume().code == 0);
  run.check_same();
  CHECK(program(run.folder.path(""), "run a.json --out /proc/run").code == 2);
}

TEST_CASE("resume says what is missing where no run began", "[resume]") {
  const TemporaryFolder folder;
  CHECK_THAT(program(folder.path(""), "resume nowhere").output,
             ContainsSubstring("nowhere: there is no such folder"));
  fs::create_directory(folder.path("empty"));
  CHECK_THAT(program(folder.path(""), "resume empty").output,
             ContainsSubstring("contains no config.json"));
}

}  // namespace nestgrad
