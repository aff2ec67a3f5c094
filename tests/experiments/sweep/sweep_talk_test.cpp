#include <cmath>
#include <sstream>

#include "core/platform/text.h"
#include "experiments/sweep/sweep_progress.h"
#include "experiments/sweep/sweep_results.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// Six trials of two seeds; rungs end after 2, 6 and 18 outer steps.
Json halving_sweep() {
  Json sweep = small_sweep();
  sweep["config"]["outer"]["steps"] = 18;
  sweep["vary"] = {
      {"outer.lr", {{"values", {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}}}}};
  sweep["halving"] = {{"first", 2}, {"factor", 3}};
  return sweep;
}

SweepPlan plan_of(const Json& sweep) {
  return SweepPlan(Config(complete(sweep_schema(), sweep)));
}

}  // namespace

TEST_CASE("the time that a sweep will take follows from runs that have ended",
          "[sweep]") {
  // 12 runs of 2 steps, 4 of 4 more, 2 of 12 more; two at a time.
  const SweepPlan plan = plan_of(halving_sweep());
  SweepProgress progress(plan, plan.workers());
  progress.begin_rung(0, 0);
  CHECK(progress.rung_text() == "rung 1 of 3: 12 runs to outer step 2");
  CHECK(std::isnan(progress.seconds_left()));
  CHECK(progress.text() == "rung 1 of 3, run 0 of 12");
  progress.end_run(20);
  progress.end_run(40);
  // 15 seconds for a step; (10 * 2 + 4 * 4 + 2 * 12) / 2 steps are left.
  CHECK(progress.seconds_left() == Approx(15 * 30));
  CHECK(progress.text() == "rung 1 of 3, run 2 of 12, about 7 min 30 s left");
  progress.begin_rung(2, 1);  // one run ended before the sweep was resumed
  CHECK(progress.text() == "rung 3 of 3, run 1 of 2, about 3 min 0 s left");
  progress.end_run(180);
  CHECK(progress.text() == "rung 3 of 3, run 2 of 2");

  // A random search for each seed takes as long as a run.
  Json sweep = small_sweep();
  sweep["random_search"] = {{"trials", 3},
                            {"vary", {{"outer.lr", {{"values", {0.01}}}}}}};
  const SweepPlan random = plan_of(sweep);
  SweepProgress without_rungs(random, random.workers());
  without_rungs.begin_rung(0, 0);
  without_rungs.end_run(6);
  without_rungs.end_run(6);
  CHECK(without_rungs.text() == "run 2 of 4, about 12.0 s left");
}

TEST_CASE("a sweep tells its rungs, counts its runs and ends in narrow tables",
          "[sweep]") {
  const TemporaryFolder folder;
  folder.write("s.json", halving_sweep().dump());
  const Ended ended = program(folder.path(""), "sweep s.json --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  for (const char* part :
       {"rung 1 of 3: 12 runs to outer step 2",
        "rung 1 of 3, run 1 of 12, about ",
        "rung 3 of 3: 2 runs to outer step 18",
        "rung 3 of 3, run 2 of 2: trial", "given up at 2", "given up at 6"}) {
    CHECK_THAT(ended.output, ContainsSubstring(part));
  }
  for (const std::string& line : lines_of(ended.output)) {
    CAPTURE(line);
    CHECK(character_count(line) <= 100);
  }
  // What the best run has found, as its own file says it.
  const SweepResults results(read_sweep(folder.path("out")));
  const Json best = results.json()["best_run"];
  const auto run = best["run"].get<std::string>();
  const Json found = Json::parse(
      read_file(folder.path("out/" + run + "/hyperparameters.json")));
  const auto value = found["weight_decay"].get<double>();
  CHECK(best["found"]["weight_decay"].get<double>() == Approx(value));
  CHECK_THAT(ended.output,
             ContainsSubstring(
                 fmt::format("found by {}\nweight_decay  {:.3g}", run, value)));
  CHECK_THAT(results.runs().front().name, ContainsSubstring("lr=0.0"));
  CHECK_THAT(results.runs().front().name, ContainsSubstring(", seed "));
}

TEST_CASE("tables of a sweep are narrow whatever is varied and measured",
          "[sweep]") {
  SweepRecord record;
  record.metric = "valid_loss";
  const int keys = GENERATE(0, 1, 3, 12);
  const std::string word = "a_key_that_has_a_rather_long_name_";
  const Config config(complete(Dimension::schema(), {{"values", {1, 2}}}));
  TrialRecord trial{"trial-0001", {}, {1, 2}, {}};
  for (int i = 0; i < keys; ++i) {
    const std::string key = fmt::format("estimator.{}{}", word, i);
    record.dimensions.emplace_back(key, config);
    trial.values.emplace_back(key, "a value that is long as well: " + word);
  }
  for (const std::int64_t seed : {1, 2}) {
    SweepEntry entry;
    entry.run = fmt::format("trial-0001-seed-{}", seed);
    for (const char* metric :
         {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy",
          "test_loss", "test_accuracy"}) {
      entry.metrics[metric] = 0.1234567 * static_cast<double>(seed);
    }
    trial.runs[seed] = entry;
  }
  record.trials = {trial};
  const std::string text = SweepResults(record).text();
  CAPTURE(text);
  for (const std::string& line : lines_of(text)) {
    CHECK(character_count(line) <= 100);
  }
  CHECK_THAT(text, ContainsSubstring("0.1852 ± 0.062"));
  if (keys == 0) CHECK_THAT(text, ContainsSubstring("test accuracy"));
}

TEST_CASE("keys are called by as many of their last words as tell them apart",
          "[sweep]") {
  using Names = std::vector<std::string>;
  CHECK(short_names({"estimator.window", "outer.lr"}) == Names{"window", "lr"});
  CHECK(short_names({"inner.lr", "outer.lr", "seed"}) ==
        Names{"inner.lr", "outer.lr", "seed"});
  CHECK(short_names({"lr", "outer.lr"}) == Names{"lr", "outer.lr"});
  CHECK(short_names({"a.b.c", "d.b.c"}) == Names{"a.b.c", "d.b.c"});
  CHECK(short_names({}).empty());
}

}  // namespace nestgrad
