// Ranks that train from starts of their own, and average hypergradients.

#include <ATen/ATen.h>

#include "core/tensor/sum.h"
#include "hypergrad/averaged.h"
#include "tests/experiments/setup/cases_on_ranks.h"

namespace nestgrad {
namespace {

Experiment averaging(const Json& section, std::int64_t shares,
                     const std::shared_ptr<World>& world = alone()) {
  Json json = noisy_network(section, shares);
  json["distributed"]["divide"] = "starts";
  return Experiment(Config(complete(experiment_schema(), json)), world);
}

std::unique_ptr<HypergradientEstimator> estimator_of(
    const Experiment& experiment, const Json& section) {
  const Json whole = complete(experiment_schema(), noisy_network(section));
  return experiment.make_estimator(Config(whole).object("estimator"));
}

/// Sections of all estimators, in cold start and otherwise.
std::vector<Json> cold_and_warm() {
  std::vector<Json> out = all_sections();
  for (Json cold : all_sections()) {
    cold["horizon"] = cold["window"];
    cold["starts"] = 2;
    out.push_back(cold);
  }
  return out;
}

/// Number 1 of several has not converged, and number 2 has diverged.
class Stumbling : public HypergradientEstimator {
 public:
  explicit Stumbling(std::int64_t number) : number_(number) {}

  void begin(const ParameterSet&, const Key&) override {}
  Estimate estimate(const ParameterSet& hyper) override {
    Estimate out{hyper.zeros(), static_cast<double>(number_)};
    out.metrics = {{"products", 3},
                   {"residual", 0.1 * (number_ + 1.0)},
                   {"smallest_curvature", number_ - 1.0},
                   {"scale", number_}};
    if (number_ == 3) out.metrics["residual"] = std::nan("");
    if (number_ > 0) out.metrics["rank"] = 7;
    if (number_ == 1) out.status = Status::kNotConverged;
    if (number_ == 2) out.status = Status::kDiverged;
    out.trouble = number_ == 2 ? "it has stumbled" : "";
    out.used = {{"scale", number_}};
    return out;
  }
  ParameterSet weights(const ParameterSet&) const override { return {}; }
  void persist(Archive&) override {}

 private:
  std::int64_t number_;
};

}  // namespace

TEST_CASE("an average over starts is the mean of runs with keys of their own",
          "[ranks]") {
  constexpr std::uint64_t kShares = 4;
  for (const Json& section : cold_and_warm()) {
    CAPTURE(section.dump());
    const Experiment experiment = averaging(section, kShares);
    REQUIRE(experiment.divided() == Divided::kStarts);
    const auto average = estimator_of(experiment, section);
    // The same estimator, alone.
    const Experiment single(
        Config(complete(experiment_schema(), noisy_network(section))));
    std::vector<std::unique_ptr<HypergradientEstimator>> each;
    ParameterSet hyper = experiment.initial_hyper();
    average->begin(hyper, Key(3));
    for (std::uint64_t s = 0; s < kShares; ++s) {
      each.push_back(estimator_of(single, section));
      each.back()->begin(hyper, s == 0 ? Key(3) : Key(3).fold("share").fold(s));
    }
    for (int step = 0; step < 3; ++step) {
      const Estimate found = average->estimate(hyper);
      std::vector<ParameterSet> gradients;
      double objective = 0;
      for (const auto& one : each) {
        const Estimate estimate = one->estimate(hyper);
        gradients.push_back(estimate.gradient);
        objective += estimate.objective / kShares;
      }
      if (step > 0) CHECK(distance(gradients[0], gradients[1]) > 1e-6);
      CHECK(distance(found.gradient,
                     (1.0 / kShares) * pairwise_sum(gradients)) == 0);
      CHECK(found.objective == Approx(objective).epsilon(1e-14));
      CHECK(distance(average->weights(hyper), each[0]->weights(hyper)) == 0);
      CHECK(average->position().trained == each[0]->position().trained);
      hyper =
          add(hyper, -0.1 / (1e-300 + length(found.gradient)), found.gradient);
    }
    // What is saved is all that it goes on from.
    const auto restored = estimator_of(experiment, section);
    restored->begin(experiment.initial_hyper(), Key(3));
    restore(*restored, save(*average));
    CHECK(distance(restored->estimate(hyper).gradient,
                   average->estimate(hyper).gradient) == 0);
  }
}

TEST_CASE("an average over starts tells what its parts tell", "[ranks]") {
  std::int64_t number = 0;
  const auto make = [&] { return std::make_unique<Stumbling>(number++); };
  Averaged average(alone(), 4, make);
  const ParameterSet hyper{{"h", at::ones({2}, at::kDouble)}};
  average.begin(hyper, Key(1));
  const Estimate out = average.estimate(hyper);
  CHECK(out.objective == 1.5);
  CHECK(out.metrics.at("products") == 12);
  CHECK(out.metrics.at("residual") == Approx(0.3));
  CHECK(out.metrics.at("smallest_curvature") == -1);
  CHECK(out.metrics.at("scale") == 1.5);
  CHECK(out.metrics.at("rank") == 7);
  CHECK(out.status == Status::kDiverged);
  CHECK(out.trouble == "start 2: it has stumbled");
  CHECK(out.used == Json{{"scale", 0}});
}

TEST_CASE("starts are divided only where something is tuned", "[ranks]") {
  Json json = noisy_network("ift", 2);
  json["distributed"]["divide"] = "starts";
  for (auto& [name, spec] : json["hyperparameters"].items()) {
    spec["tuned"] = false;
  }
  CHECK_THROWS_WITH(
      Experiment(Config(complete(experiment_schema(), json))),
      ContainsSubstring("/distributed/divide: must be \"examples\" where "
                        "nothing is tuned: there are no hypergradients"));
}

TEST_CASE("ranks that divide starts estimate what one rank does, bit by bit",
          "[ranks]") {
  for (const int ranks : {2, 4}) on_ranks(ranks, "rank_of_starts");
}

// --- what one rank does ------------------------------------------------------

TEST_CASE("a rank of every estimator with its own starts",
          "[.][rank_of_starts]") {
  const auto world = joined();
  for (const Json& section : cold_and_warm()) {
    CAPTURE(world->rank(), section.dump());
    const Experiment whole = averaging(section, 4);
    const Experiment divided = averaging(section, 4, world);
    const auto one = estimator_of(whole, section);
    const auto share = estimator_of(divided, section);
    ParameterSet hyper = whole.initial_hyper();
    one->begin(hyper, Key(3));
    share->begin(hyper, Key(3));
    const auto compare = [&](HypergradientEstimator& of_ranks) {
      const Estimate expected = one->estimate(hyper);
      const std::int64_t before = world->collectives();
      const Estimate found = of_ranks.estimate(hyper);
      // What is said (its length first) and the sum, which is a gather here.
      CHECK(world->collectives() - before == 3);
      CHECK(distance(found.gradient, expected.gradient) == 0);
      CHECK(found.objective == expected.objective);
      CHECK(found.metrics == expected.metrics);
      CHECK(found.used == expected.used);
      hyper = add(hyper, -0.1 / (1e-300 + length(expected.gradient)),
                  expected.gradient);
    };
    compare(*share);
    // Ranks save what one rank saves, and go on from what one has saved.
    const Snapshot saved = save(*share), of_one = save(*one);
    REQUIRE(saved.sets.size() == of_one.sets.size());
    for (const auto& [path, set] : of_one.sets) {
      CAPTURE(path);
      CHECK(distance(saved.sets.at(path), set) == 0);
    }
    CHECK(saved.integers == of_one.integers);
    CHECK(saved.numbers == of_one.numbers);
    CHECK(saved.texts == of_one.texts);
    const auto restored = estimator_of(divided, section);
    restored->begin(whole.initial_hyper(), Key(3));
    restore(*restored, of_one);
    compare(*restored);
  }
  world->part();
}

}  // namespace nestgrad
