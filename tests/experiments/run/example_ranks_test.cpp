// Runs of several processes that divide the examples of minibatches.

#include "tests/experiments/run/rank_runs.h"

namespace nestgrad {
namespace {

/// Tunes the decay of each weight by implicit differentiation, with dropout and
/// minibatches that neither two nor three ranks divide evenly.
Json by_examples(std::int64_t steps, std::int64_t shares = 0) {
  Json out = small(steps);
  out["precision"] = "float64";
  out["threads"] = 1;
  out["problem"]["batch"] = 13;
  out["problem"]["model"] = {{"type", "sequential"},
                             {"layers",
                              {{{"type", "linear"}, {"out", 6}},
                               "tanh",
                               {{"type", "dropout"}, {"rate", 0.2}},
                               {{"type", "linear"}, {"out", 3}}}}};
  out["hyperparameters"]["weight_decay"]["per"] = "weight";
  out["record"]["checkpoint"] = {{"steps", 5}, {"keep", 10}};
  out["distributed"] = {{"silent_seconds", 3}, {"shares", shares}};
  return out;
}

}  // namespace

TEST_CASE("ranks that divide examples make the run of one, up to rounding",
          "[ranks][resume]") {
  const RankRuns folder;
  const Json config = by_examples(12);
  REQUIRE(folder.run(config, "one", 1).code == 0);
  for (const char* name : {"three", "broken"}) {
    const Ended ended = folder.run(config, name, 3);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }
  folder.check_close("one", "three", 1e-11);
  folder.check_same("three", "broken");
  folder.check_close("three", "broken", 0);
  folder.lose_after_step_5("broken");
  folder.resume("broken", 3);
  folder.check_same("three", "broken");
  folder.check_close("three", "broken", 0);
}

TEST_CASE("fixed shares give any number of ranks the same bits", "[ranks]") {
  const RankRuns folder;
  const Json config = by_examples(12, 4);
  for (const int ranks : {1, 2, 4}) {
    const Ended ended = folder.run(config, std::to_string(ranks), ranks);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }
  folder.check_same("1", "2");
  folder.check_same("1", "4");
  REQUIRE(folder.run(by_examples(12), "undivided", 1).code == 0);
  folder.check_close("undivided", "1", 1e-11);
  folder.lose_after_step_5("2");
  folder.resume("2", 4);
  folder.check_same("1", "2");

  const Ended uneven = folder.run(config, "3", 3);
  CAPTURE(uneven.output);
  CHECK(uneven.code == 2);
  CHECK(uneven.output.find(
            "/distributed/shares: must be a power of two that the "
            "number of ranks divides; there are 3") != std::string::npos);
}

TEST_CASE("ranks that divide the memory of the outer rule make the same run",
          "[ranks][resume]") {
  const RankRuns folder;
  Json config = by_examples(12, 4);
  // So many decays that they are worth dividing, in uneven parts.
  config["problem"]["model"] = {{"type", "mlp"}, {"hidden", {2001}}};
  config["outer"]["type"] = "adam";
  REQUIRE(folder.run(config, "one", 1).code == 0);
  config["distributed"]["divide_outer"] = true;
  for (const int ranks : {1, 2, 4}) {
    const Ended ended = folder.run(config, std::to_string(ranks), ranks);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    folder.check_same("one", std::to_string(ranks));
  }
  folder.lose_after_step_5("4");
  folder.resume("4", 2);
  folder.check_same("one", "4");
  folder.lose_after_step_5("2");
  folder.resume("2", 1);
  folder.check_same("one", "2");

  config["outer"] = {{"type", "clipped"}, {"max_norm", 1}, {"steps", 2}};
  const Ended refused = folder.run(config, "clipped", 2);
  CAPTURE(refused.output);
  CHECK(refused.code == 2);
  CHECK(refused.output.find("/distributed/divide_outer: this rule looks at all "
                            "hyperparameters at once") != std::string::npos);
}

TEST_CASE("rank 0 looks at cold starts while the others go on", "[ranks]") {
  const RankRuns folder;
  Json config = by_examples(7);
  config["hyperparameters"] = {{"lr", {{"initial", 0.1}}}};
  config["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  config["estimator"] = {
      {"type", "unrolled"}, {"window", 4}, {"horizon", 4}, {"starts", 3}};
  config["record"] = {{"every", 1}, {"retrain", 4}};
  for (const int ranks : {1, 2}) {
    const Ended ended = folder.run(config, std::to_string(ranks), ranks);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }
  folder.check_close("1", "2", 1e-11);
}

TEST_CASE("a run that goes on with other ranks says that it rounds differently",
          "[ranks][resume]") {
  const RankRuns folder;
  const Json config = by_examples(12);
  REQUIRE(folder.run(config, "a", 2).code == 0);
  folder.lose_after_step_5("a");
  const Ended ended = program(folder.path(""), "resume a --quiet --ranks 3");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("was of 2 ranks and is of 3 now") !=
        std::string::npos);
}

}  // namespace nestgrad
