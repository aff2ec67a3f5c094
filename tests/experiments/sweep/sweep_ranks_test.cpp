// Sweeps that several processes work on.

#include <filesystem>
#include <map>

#include "core/platform/files.h"
#include "experiments/sweep/ledger.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Four trials in two rungs, with two seeds each, of about a second.
Json halved_sweep() {
  Json out = small_sweep();
  out["config"]["outer"]["steps"] = 600;
  out["vary"] = {{"outer.lr", {{"values", {0.01, 0.02, 0.05, 0.1}}}}};
  out["halving"] = {{"first", 300}, {"factor", 4}};
  out["workers"] = 1;
  out["threads"] = 1;
  return out;
}

/// Starts two ranks with `arguments`, as a launcher does, does `meanwhile` and
/// waits for them. Rank r is the process $r<r>, the first of its group, and
/// leaves its exit code in the file code<r>.
Ended on_two_ranks(const TemporaryFolder& folder, const std::string& arguments,
                   const std::string& meanwhile = "") {
  return shell(
      folder.path(""),
      fmt::format("export WORLD_SIZE=2 LOCAL_WORLD_SIZE=2 "
                  "MASTER_ADDR=127.0.0.1 MASTER_PORT=$((20000 + $$ % 10000)); "
                  "for r in 0 1; do RANK=$r setsid sh -c "
                  "\"'{0}' {1}; echo \\$? >code$r\" & eval r$r=$!; done; {2} "
                  "wait",
                  NESTGRAD_PROGRAM, arguments, meanwhile));
}

/// For on_two_ranks(): waits until so many lines have been written.
std::string until_lines(int lines) {
  return fmt::format(
      "for i in $(seq 3000); do sleep 0.02; "
      "[ $(cat out/runs.jsonl 2>/dev/null | wc -l) -ge {} ] && break; done; ",
      lines);
}

/// The trials of results.json, but for what depends on time.
Json trials(const std::string& folder) {
  Json out = Json::parse(read_file(folder + "/results.json"))["trials"];
  for (Json& trial : out) trial.erase("seconds");
  return out;
}

std::string code(const TemporaryFolder& folder, int rank) {
  return read_file(folder.path(fmt::format("code{}", rank)));
}

/// Every run that is to be made has one good line.
void require_each_once(const std::string& folder) {
  std::map<std::string, int> lines;
  for (const Json& entry : entries(folder)) {
    CHECK(entry["code"] == 0);
    ++lines[fmt::format("{} {}", entry["run"].get<std::string>(),
                        entry["rung"].get<int>())];
  }
  CHECK(lines.size() == 4 * 2 + 2);
  for (const auto& [run, count] : lines) {
    CAPTURE(run);
    CHECK(count == 1);
  }
}

}  // namespace

TEST_CASE(
    "ranks share the runs of a sweep, and the others take over what one "
    "that is lost has begun",
    "[sweep][ranks]") {
  const TemporaryFolder folder;
  folder.write("s.json", halved_sweep().dump());
  REQUIRE(program(folder.path(""), "sweep s.json --quiet --out one").code == 0);
  const Json expected = trials(folder.path("one"));

  const auto share = [&](const std::string& meanwhile) {
    std::filesystem::remove_all(folder.path("out"));
    const Ended ended =
        on_two_ranks(folder, "sweep s.json --out out", meanwhile);
    CAPTURE(ended.output);
    CHECK(trials(folder.path("out")) == expected);
    return ended;
  };
  {
    const Ended ended = share("");
    CHECK(code(folder, 0) == "0\n");
    CHECK(code(folder, 1) == "0\n");
    require_each_once(folder.path("out"));
    std::map<int, int> runs;
    for (const Json& entry : entries(folder.path("out"))) {
      ++runs[entry["rank"].get<int>()];
    }
    CHECK(runs.size() == 2);
    // One of them talks, of all runs.
    CHECK_THAT(ended.output, ContainsSubstring("rung 1 of 2, run 8 of 8"));
    CHECK(ended.output.find("Results are in") ==
          ended.output.rfind("Results are in"));
  }
  // With the run it is at, or while that lives on until its checkpoint.
  const char* const losses[] = {
      "kill -9 -- -$r0 ; ", "kill -9 $(cat /proc/$r1/task/$r1/children) ; "};
  for (const int lost : {0, 1}) {
    CAPTURE(lost);
    share(until_lines(1) + losses[lost]);
    CHECK(code(folder, 1 - lost) == "0\n");
    require_each_once(folder.path("out"));
  }
}

TEST_CASE("a mistake in a sweep of several ranks is told once",
          "[sweep][ranks]") {
  const TemporaryFolder folder;
  Json sweep = halved_sweep();
  sweep["vary"] = {{"outer.lrr", {{"values", {1}}}}};
  folder.write("s.json", sweep.dump());
  const Ended ended = on_two_ranks(folder, "sweep s.json --out out");
  CAPTURE(ended.output);
  CHECK(code(folder, 0) == "2\n");
  CHECK(code(folder, 1) == "6\n");  // rank 0 is lost
  const std::string says = "there is no key 'lrr' here";
  CHECK_THAT(ended.output, ContainsSubstring(says));
  CHECK(ended.output.find(says) == ended.output.rfind(says));
  CHECK_FALSE(folder_exists(folder.path("out")));
}

TEST_CASE(
    "a run belongs to one process, and attempts before these processes "
    "do not count",
    "[sweep]") {
  const TemporaryFolder folder;
  make_folders(folder.path("logs"));
  Ledger one(folder.path(""), 0, /*retries=*/1);
  Ledger other(folder.path(""), 0, 1);
  auto claim = one.claim("a");
  CHECK(claim != nullptr);
  CHECK(other.claim("a") == nullptr);
  CHECK(other.claim("b") != nullptr);
  claim.reset();
  CHECK(other.claim("a") != nullptr);

  SweepEntry failed{"a", 0, 1, 0, /*code=*/137};
  one.add(failed);
  other.add(failed);
  CHECK(one.news().size() == 2);
  CHECK(one.news().empty());
  CHECK(one.is_over("a", 0));
  CHECK_FALSE(other.is_over("a", 0));  // it has not looked yet
  CHECK(other.news().size() == 2);
  CHECK(other.is_over("a", 0));
  Ledger later(folder.path(""), Ledger::lines_in(folder.path("")), 1);
  CHECK(later.news().size() == 2);
  CHECK_FALSE(later.is_over("a", 0));
  CHECK(later.entry("a", 0)->code == 137);
  CHECK(later.entry("b", 0) == nullptr);
}

}  // namespace nestgrad
