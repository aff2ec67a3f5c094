#include "hypergrad/pool.h"

#include <ATen/ATen.h>

#include <set>

#include "experiments/setup/experiment.h"
#include "tests/experiments/setup/cases_on_ranks.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMembers = 3;

Experiment experiment_with(const Json& section) {
  return Experiment(
      Config(complete(experiment_schema(), noisy_network(section))));
}

std::unique_ptr<HypergradientEstimator> made(const Json& section,
                                             const Experiment& experiment) {
  return make_with_pool(
      Config(complete(EstimatorRegistry::instance(), section)),
      experiment.loop());
}

/// All estimators, with three windows in a run and new starts.
std::vector<Json> sections() {
  std::vector<Json> out = all_sections();
  for (Json& section : out) {
    section["window"] = 3;
    section["horizon"] = 9;
    section["starts"] = 0;
  }
  return out;
}

}  // namespace

TEST_CASE("an estimate of a pool is that of one of its runs, drawn at random",
          "[pool]") {
  for (Json section : sections()) {
    CAPTURE(section.dump());
    const Experiment experiment = experiment_with(section);
    ParameterSet hyper = experiment.initial_hyper();
    // The runs by themselves, of different ages.
    std::vector<std::unique_ptr<HypergradientEstimator>> runs;
    for (std::uint64_t i = 0; i < kMembers; ++i) {
      Json own = section;
      own["first_horizon"] = std::vector<int>{9, 6, 3}[i];
      runs.push_back(made(own, experiment));
      runs.back()->begin(hyper,
                         i == 0 ? Key(3) : Key(3).fold("member").fold(i));
    }
    section["pool"] = kMembers;
    const auto pool = made(section, experiment);
    pool->begin(hyper, Key(3));
    std::set<std::size_t> met;
    for (std::uint64_t turn = 0; turn < 12; ++turn) {
      const auto u = Key(3)
                         .fold("choice")
                         .fold(turn)
                         .uniform(at::empty({}, float64()))
                         .item<double>();
      const auto i = static_cast<std::size_t>(u * kMembers);
      met.insert(i);
      const Estimate got = pool->estimate(hyper);
      const Estimate expected = runs[i]->estimate(hyper);
      CHECK(length(got.gradient - expected.gradient) == 0);
      CHECK(double(got.objective) == double(expected.objective));
      CHECK(length(pool->weights(hyper) - runs[i]->weights(hyper)) == 0);
      CHECK(pool->position().trained == runs[i]->position().trained);
      hyper = add(hyper, -0.1 / (1e-300 + length(got.gradient)), got.gradient);
    }
    CHECK(met.size() == kMembers);

    // What is saved is all that it goes on from.
    const auto restored = made(section, experiment);
    restored->begin(experiment.initial_hyper(), Key(3));
    restore(*restored, save(*pool));
    for (int turn = 0; turn < 3; ++turn) {
      CHECK(length(restored->estimate(hyper).gradient -
                   pool->estimate(hyper).gradient) == 0);
    }
  }
}

TEST_CASE("the runs of a pool end one after the other", "[pool]") {
  Json section{{"type", "one_step"}, {"lookahead", 0}, {"window", 1},
               {"horizon", 10},      {"starts", 0},    {"pool", 4}};
  const Experiment experiment = experiment_with(section);
  const ParameterSet hyper = experiment.initial_hyper();
  const auto pool = made(section, experiment);
  pool->begin(hyper, Key(3));
  // Runs are told apart by where they stand: a run moves by one step when it is
  // taken, and after 10, 8, 5 and 3 steps for the first time it starts anew.
  std::vector<std::vector<std::int64_t>> positions(4);
  for (std::uint64_t turn = 0; turn < 60; ++turn) {
    const auto u = Key(3)
                       .fold("choice")
                       .fold(turn)
                       .uniform(at::empty({}, float64()))
                       .item<double>();
    pool->estimate(hyper);
    positions[static_cast<std::size_t>(u * 4)].push_back(
        pool->position().trained);
  }
  const std::vector<std::int64_t> first = {10, 8, 5, 3};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    REQUIRE(positions[i].size() > 5);
    for (std::size_t k = 0; k < positions[i].size(); ++k) {
      const auto n = static_cast<std::int64_t>(k);
      const std::int64_t expected =
          n < first[i] ? n + 1 : (n - first[i]) % 10 + 1;
      CHECK(positions[i][k] == expected);
    }
  }
}

TEST_CASE("a pool without a horizon is refused", "[pool]") {
  const Json section{{"type", "one_step"}, {"pool", 4}};
  const Experiment experiment = experiment_with("one_step");
  CHECK_THROWS_WITH(made(section, experiment),
                    ContainsSubstring("/pool: needs a horizon"));
}

}  // namespace nestgrad
