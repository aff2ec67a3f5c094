// Runs of several processes that average over starts.

#include "tests/experiments/run/rank_runs.h"

namespace nestgrad {
namespace {

/// Tunes a learning rate through whole training runs.
Json by_starts(std::int64_t shares) {
  Json out = small(12);
  out["precision"] = "float64";
  out["threads"] = 1;
  out["hyperparameters"] = {{"lr", {{"initial", 0.1}}}};
  out["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  out["estimator"] = {
      {"type", "unrolled"}, {"window", 4}, {"horizon", 4}, {"starts", 3}};
  out["record"] = {{"every", 1},
                   {"retrain", 4},
                   {"checkpoint", {{"steps", 5}, {"keep", 10}}}};
  out["distributed"] = {
      {"silent_seconds", 3}, {"divide", "starts"}, {"shares", shares}};
  return out;
}

}  // namespace

TEST_CASE("a run that averages over starts does not depend on its ranks",
          "[ranks][resume]") {
  const RankRuns folder;
  for (const int ranks : {1, 2, 4}) {
    const Ended ended = folder.run(by_starts(4), std::to_string(ranks), ranks);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }
  for (const char* other : {"2", "4"}) {
    folder.check_same("1", other);
    folder.check_close("1", other, 0);
  }
  for (const auto& [run, ranks] : {std::pair{"2", 4}, std::pair{"4", 1}}) {
    folder.lose_after_step_5(run);
    folder.resume(run, ranks);
    folder.check_same("1", run);
    folder.check_close("1", run, 0);
  }
}

TEST_CASE("a run of a start for each rank goes on with as many only",
          "[ranks][resume]") {
  const RankRuns folder;
  for (const char* name : {"whole", "broken"}) {
    const Ended ended = folder.run(by_starts(0), name, 3);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }
  folder.lose_after_step_5("broken");
  for (const int ranks : {1, 2}) {
    const Ended ended =
        program(folder.path(""),
                fmt::format("resume broken --quiet --ranks {}", ranks));
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.find("a run whose ranks have a start each goes on with "
                            "as many as it had, 3 ranks") != std::string::npos);
  }
  folder.resume("broken", 3);
  folder.check_same("whole", "broken");
  folder.check_close("whole", "broken", 0);
}

TEST_CASE("two ranks of a start each do what one rank does with two shares",
          "[ranks]") {
  const RankRuns folder;
  REQUIRE(folder.run(by_starts(2), "shares", 1).code == 0);
  REQUIRE(folder.run(by_starts(0), "ranks", 2).code == 0);
  // A sum of two numbers is the same in any order.
  folder.check_same("shares", "ranks");
}

}  // namespace nestgrad
