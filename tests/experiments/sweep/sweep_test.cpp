#include "experiments/sweep/sweep.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/sweep_results.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/program.h"
#include "tests/support/shortened.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

Json json_of(const std::string& path) { return Json::parse(read_file(path)); }

/// What does not depend on how fast it went.
Json without_times(Json results) {
  for (Json& trial : results["trials"]) trial.erase("seconds");
  return results;
}

}  // namespace

TEST_CASE("a sweep compares trials, the best first", "[sweep]") {
  const TemporaryFolder folder;
  folder.write("s.json", small_sweep().dump());
  const Ended ended = program(folder.path(""), "sweep s.json --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json results = json_of(folder.path("out/results.json"));
  REQUIRE(results["trials"].size() == 2);
  const Json &best = results["trials"][0], &other = results["trials"][1];
  CHECK(best["runs"] == 2);
  CHECK(best["mean"]["valid_loss"] < other["mean"]["valid_loss"]);
  CHECK(best["values"]["outer.lr"] == 0.1);
  // Each run is one that `nestgrad run` would have made.
  folder.write("a.json", small_sweep()["config"].dump());
  REQUIRE(program(folder.path(""),
                  "run a.json --quiet --out a --set outer.lr=0.1 --seed 2 "
                  "--set threads=1")
              .code == 0);
  CHECK(read_file(folder.path("a/weights.safetensors")) ==
        read_file(folder.path("out/trial-0002-seed-2/weights.safetensors")));
  const std::string csv = read_file(folder.path("out/results.csv"));
  CHECK(csv.rfind("trial,outer.lr,runs,failed,outer_steps,seconds,", 0) == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 3);
  // Nothing is left to do.
  const std::size_t before = entries(folder.path("out")).size();
  CHECK(program(folder.path(""), "resume out --quiet").code == 0);
  CHECK(entries(folder.path("out")).size() == before);
  CHECK(program(folder.path(""), "report out").code == 0);
}

TEST_CASE("a sweep that is killed goes on where it was", "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["config"]["outer"]["steps"] = 300;
  folder.write("s.json", sweep.dump());
  REQUIRE(program(folder.path(""), "sweep s.json --quiet --out whole").code ==
          0);
  program(folder.path(""), "sweep s.json --quiet --out out",
          "timeout -s KILL 2");
  const Ended ended = program(folder.path(""), "resume out --quiet");
  CAPTURE(ended.output);
  // Jobs that have lost their sweep write a checkpoint first.
  REQUIRE(ended.code == 0);
  CHECK(without_times(json_of(folder.path("out/results.json"))) ==
        without_times(json_of(folder.path("whole/results.json"))));
}

TEST_CASE("a run that crashes is tried again, one that diverges is not",
          "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["config"]["outer"]["steps"] = 2000;
  sweep["vary"] = {{"inner.lr", {{"values", {0.2, 1e8}}}}};
  sweep["seeds"] = 1;
  folder.write("s.json", sweep.dump());
  const Ended ended = shell(
      folder.path(""),
      fmt::format("('{}' sweep s.json --quiet --out out & "
                  "for i in $(seq 200); do sleep 0.02; "
                  "[ -e out/trial-0001-seed-1/metrics.jsonl ] && break; done; "
                  "for p in /proc/[0-9]*; do "
                  "tr '\\0' ' ' < $p/cmdline 2>/dev/null | "
                  "grep -q 'run [^ ]*out/configs/trial-0001' && "
                  "kill -9 ${{p#/proc/}}; done; wait %1)",
                  NESTGRAD_PROGRAM));
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  std::vector<int> crashed, diverged;
  for (const Json& entry : entries(folder.path("out"))) {
    (entry["trial"] == 0 ? crashed : diverged)
        .push_back(entry["code"].get<int>());
  }
  CHECK(crashed == std::vector<int>{137, 0});
  CHECK(diverged == std::vector<int>{3});
  // The time of a run that failed counts.
  CHECK(read_sweep(folder.path("out")).trials[1].runs.at(1).seconds() > 0);
  const Json results = json_of(folder.path("out/results.json"));
  CHECK(results["trials"][0]["failed"] == 0);
  CHECK(results["trials"][1]["failed"] == 1);
}

TEST_CASE("a metric that no run has is named at once and can be lived with",
          "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["metric"] = "valid_los";
  folder.write("s.json", sweep.dump());
  const Ended ended = program(folder.path(""), "sweep s.json --out out");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output,
             ContainsSubstring("there is no metric 'valid_los', so trials"));
  CHECK_THAT(ended.output, ContainsSubstring("valid_loss"));
}

TEST_CASE("successive halving gives up the worse trials", "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["config"]["outer"]["steps"] = 18;
  sweep["vary"] = {
      {"outer.lr", {{"values", {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}}}}};
  sweep["halving"] = {{"first", 2}, {"factor", 3}};
  folder.write("s.json", sweep.dump());
  const Ended ended = program(folder.path(""), "sweep s.json --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  std::map<int, std::map<int, double>> losses;  // by rung and trial, summed
  for (const Json& entry : entries(folder.path("out"))) {
    const int rung = entry["rung"];
    losses[rung][entry["trial"]] +=
        entry["metrics"]["valid_loss"].get<double>();
    const int steps[] = {2, 6, 18};
    CHECK(entry["outer_steps"] == steps[rung]);
  }
  /// The best of a rung, and only they, are there in the next.
  const auto check_next = [&](int rung, std::size_t kept) {
    std::vector<std::pair<double, int>> ranked;
    for (const auto& [trial, loss] : losses[rung]) {
      ranked.emplace_back(loss, trial);
    }
    std::sort(ranked.begin(), ranked.end());
    REQUIRE(losses[rung + 1].size() == kept);
    for (std::size_t i = 0; i < kept; ++i) {
      CHECK(losses[rung + 1].count(ranked[i].second) == 1);
    }
  };
  CHECK(losses[0].size() == 6);
  check_next(0, 2);
  check_next(1, 1);
  const int best = losses[2].begin()->first;
  // The one that stayed is as if it had never been stopped.
  folder.write("a.json", sweep["config"].dump());
  REQUIRE(program(folder.path(""),
                  fmt::format("run a.json --quiet --out a --set outer.lr=0.0{} "
                              "--set threads=1",
                              best + 1))
              .code == 0);
  const std::string run =
      folder.path(fmt::format("out/trial-000{}-seed-1/", best + 1));
  CHECK(read_file(folder.path("a/weights.safetensors")) ==
        read_file(run + "weights.safetensors"));
  CHECK(json_of(folder.path("a/summary.json"))["retrained_found"] ==
        json_of(run + "summary.json")["retrained_found"]);
}

TEST_CASE("random search gets the time of the best trial", "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["config"]["outer"]["steps"] = 100;
  sweep["random_search"] = {
      {"trials", 50},
      {"set", {{"hyperparameters.weight_decay.tuned", false}}},
      {"vary",
       {{"hyperparameters.weight_decay.initial",
         {{"low", 1e-4}, {"high", 10}, {"scale", "log"}}}}}};
  folder.write("s.json", sweep.dump());
  const Ended ended = program(folder.path(""), "sweep s.json --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("random search, "));
  CHECK(fs::exists(folder.path("out/comparison.png")));
  const Json search = json_of(folder.path("out/results.json"))["random_search"];
  const SweepRecord record = read_sweep(folder.path("out"));
  double mean = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    const auto n = search["trials"][s].get<std::size_t>();
    REQUIRE(n >= 1);
    if (n > 1) CHECK(search["seconds"][s] <= search["budgets"][s]);
    // The best of those that fit, and one more would not.
    const std::int64_t seed = static_cast<std::int64_t>(s) + 1;
    const TrialRecord* const mine = &record.random[50 * s];
    double best = INFINITY, seconds = 0;
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(mine[i].seeds == std::vector<std::int64_t>{seed});
      const SweepEntry& run = mine[i].runs.at(seed);
      best = std::min(best, run.metrics.at("valid_loss"));
      seconds += run.seconds();
    }
    CHECK(seconds == Approx(search["seconds"][s].get<double>()));
    const auto next = mine[n].runs.find(seed);
    if (next != mine[n].runs.end()) {
      CHECK(seconds + next->second.seconds() > search["budgets"][s]);
    }
    mean += best / 2;
  }
  CHECK(search["random"]["mean"]["valid_loss"].get<double>() == Approx(mean));
  // Each seed has draws of its own.
  CHECK(record.random[0].values != record.random[50].values);
}

TEST_CASE("a sweep with a mistake starts nothing", "[sweep]") {
  const TemporaryFolder folder;
  const auto refused = [&](const Json& patch, const std::string& says) {
    Json sweep = small_sweep();
    sweep.merge_patch(patch);
    folder.write("s.json", sweep.dump(2));
    const Ended ended = program(folder.path(""), "sweep s.json --out out");
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    CHECK_THAT(ended.output, ContainsSubstring(says));
    CHECK_FALSE(fs::exists(folder.path("out")));
  };
  refused({{"vary", {{"outer.lr", {{"values", {-1}}}}}}},
          "the configuration with outer.lr=-1 is wrong:\n  /outer/lr: must be");
  refused({{"vary", {{"outer.lrr", {{"values", {1}}}}}}},
          "there is no key 'lrr' here; did you mean 'lr'?");
  refused({{"vary", {{"outer.lr", {{"low", 1}}}}}},
          "/vary/outer.lr: must have");
  refused({{"vary",
            {{"inner.lr", {{"low", 0.1}, {"high", 1}, {"points", 10000}}},
             {"threads", {{"low", 1}, {"high", 1e9}, {"points", 10000}}}}}},
          "a grid of more than 100000 combinations");
  refused({{"vary", {{"seed", {{"values", {1, 2, 3}}}}}}},
          "/vary/seed: cannot be varied");
  refused({{"vary", {{"seed", {{"values", {1, 2, 3}}}}}}}, "\"seeds\": 3");
  refused({{"vary", {{"record.folder", {{"values", {"x", "y"}}}}}}},
          "/vary/record.folder: cannot be varied");
  refused({{"random_search",
            {{"trials", 3}, {"vary", {{"seed", {{"low", 1}, {"high", 9}}}}}}}},
          "/random_search/vary/seed: cannot be varied");
  refused({{"vary", {{"record.retrain", {{"values", {0, 5}}}}}},
           {"halving", {{"first", 2}}}},
          "halving sets record.retrain");
  refused({{"seed", 2}}, "there is no key 'seed' here; did you mean 'seeds'?");
  refused({{"config", "nowhere.json"}}, "nowhere.json");
  refused({{"config", {{"seed", "x"}}}}, "/seed: must be a whole number");
}

TEST_CASE("every sweep that is shipped is right and runs", "[sweep]") {
  for (const std::string& path : shipped_configs("/configs/sweeps")) {
    CAPTURE(path);
    Json sweep = JsonFile::read(path).json();
    const fs::path config =
        fs::path(path).parent_path() / sweep["config"].get<std::string>();
    // Whole, it is right; short, it runs.
    Json whole = sweep;
    whole["config"] = JsonFile::read(config).json();
    SweepPlan(Config(complete(sweep_schema(), whole))).check();

    sweep["config"] = shortened(whole["config"]);
    sweep["seeds"] = 1;
    const bool halves = sweep.contains("halving");
    if (halves) sweep["halving"]["first"] = 1;
    if (sweep.contains("search")) sweep["search"]["trials"] = halves ? 2 : 1;
    if (sweep.contains("random_search")) {
      Json& search = sweep["random_search"];
      search["trials"] = 1;
      search["set"].erase("outer.steps");
      // One number for each example of a shortened set.
      for (auto& [key, range] : search["vary"].items()) {
        if (range.value("count", 0) == 2000) range["count"] = 100;
      }
    }
    const TemporaryFolder folder;
    folder.write("s.json", sweep.dump());
    const Ended ended = program(folder.path(""), "sweep s.json --out out");
    CAPTURE(ended.output);
    CHECK(ended.code == 0);
    for (const Json& entry : entries(folder.path("out"))) {
      CHECK(entry["code"] == 0);
    }
  }
}

}  // namespace nestgrad
