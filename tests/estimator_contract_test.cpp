#include "core/autodiff.h"
#include "hypergrad/estimator.h"
#include "tests/fixtures.h"

namespace nestgrad {
namespace {

/// What any outer loop may do between two estimates.
ParameterSet moved(const ParameterSet& hyper, const ParameterSet& gradient) {
  return add(hyper, -0.05, gradient).detach();
}

/// Three estimates in a row, the hyperparameters moving in between.
std::vector<ParameterSet> three(HypergradientEstimator& estimator,
                                ParameterSet hyper) {
  std::vector<ParameterSet> gradients;
  for (int i = 0; i < 3; ++i) {
    gradients.push_back(estimator.estimate(hyper).gradient);
    hyper = moved(hyper, gradients.back());
  }
  return gradients;
}

bool equal(const ParameterSet& a, const ParameterSet& b) {
  return at::equal(a.flatten(), b.flatten());
}

const Json kRule = {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}};

/// The network with those settings of the rule tuned as well, unless the
/// estimator refuses that.
Bench bench_for(const std::string& name, std::int64_t batch) {
  Bench bench = network_bench(kRule, batch);
  try {
    EstimatorRegistry::instance().make(Json{{"type", name}}, *bench.loop);
    return bench;
  } catch (const ConfigError&) {
    return network_bench({{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.6}},
                         batch);
  }
}

std::unique_ptr<HypergradientEstimator> make(const std::string& name,
                                             std::int64_t horizon,
                                             const TrainingLoop& loop) {
  return EstimatorRegistry::instance().make(
      {{"type", name}, {"window", 4}, {"horizon", horizon}}, loop);
}

}  // namespace

TEST_CASE("every registered estimator keeps its contract", "[estimator]") {
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    for (const std::int64_t horizon : {0, 4, 8}) {
      CAPTURE(name, horizon);
      const Bench bench = bench_for(name, /*batch=*/4);
      const ParameterSet before = bench.hyper.clone();

      const auto first = make(name, horizon, *bench.loop);
      first->begin(bench.hyper, Key(7));
      const std::vector<ParameterSet> expected = three(*first, bench.hyper);

      // Nothing of the caller's is changed, nothing returned is on a tape.
      CHECK(equal(bench.hyper, before));
      for (const ParameterSet& gradient : expected) {
        CHECK(alike(gradient, bench.hyper));
        CHECK(all_finite(gradient));
        for (const Tensor& t : gradient.tensors())
          CHECK_FALSE(t.requires_grad());
      }
      const ParameterSet weights = first->weights(bench.hyper);
      for (const Tensor& t : weights.tensors()) CHECK_FALSE(t.requires_grad());
      CHECK(
          alike(weights, bench.problem->initial_weights(bench.hyper, Key(7))));

      // The key decides, not LibTorch's generator or another estimator.
      const auto second = make(name, horizon, *bench.loop);
      const auto other = make(name, horizon, *bench.loop);
      other->begin(bench.hyper, Key(8));
      at::Generator global = at::globalContext().defaultGenerator(c10::kCPU);
      global.set_current_seed(99);
      second->begin(bench.hyper, Key(7));
      other->estimate(bench.hyper);
      const std::vector<ParameterSet> again = three(*second, bench.hyper);
      for (int i = 0; i < 3; ++i) CHECK(equal(again[i], expected[i]));
      CHECK_FALSE(equal(other->estimate(bench.hyper).gradient, expected[1]));

      // begin() forgets everything.
      second->begin(bench.hyper, Key(7));
      CHECK(equal(second->estimate(bench.hyper).gradient, expected[0]));
    }
  }
}

TEST_CASE("every registered estimator continues identically after a restore",
          "[estimator]") {
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    for (const std::int64_t horizon : {0, 4, 8}) {
      CAPTURE(name, horizon);
      const Bench bench = bench_for(name, /*batch=*/4);
      const auto original = make(name, horizon, *bench.loop);
      original->begin(bench.hyper, Key(7));
      original->estimate(bench.hyper);
      const Snapshot snapshot = save(*original);

      // A new object, never begun.
      const auto restored = make(name, horizon, *bench.loop);
      restore(*restored, snapshot);
      CHECK(equal(restored->weights(bench.hyper),
                  original->weights(bench.hyper)));
      const auto expected = three(*original, bench.hyper);
      const auto got = three(*restored, bench.hyper);
      for (int i = 0; i < 3; ++i) CHECK(equal(got[i], expected[i]));
    }
  }
}

TEST_CASE("ift with a warm-started solver saves its last solution",
          "[estimator]") {
  const Bench bench = network_bench({{"type", "sgd"}, {"lr", 0.1}});
  const Json json = {{"type", "ift"},
                     {"window", 5},
                     {"solver",
                      {{"type", "conjugate_gradient"},
                       {"iterations", 3},
                       {"warm_start", true}}}};
  const auto original = EstimatorRegistry::instance().make(json, *bench.loop);
  original->begin(bench.hyper, Key(7));
  original->estimate(bench.hyper);
  const auto restored = EstimatorRegistry::instance().make(json, *bench.loop);
  restore(*restored, save(*original));
  CHECK(equal(restored->estimate(bench.hyper).gradient,
              original->estimate(bench.hyper).gradient));
}

TEST_CASE("several outer steps per window see the same training",
          "[estimator]") {
  // All examples at once: a minibatch for the Hessian would be another one in
  // every turn.
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    CAPTURE(name);
    const Bench bench = bench_for(name, /*batch=*/12);
    const auto estimator = EstimatorRegistry::instance().make(
        {{"type", name}, {"window", 4}, {"outer_steps_per_window", 3}},
        *bench.loop);
    estimator->begin(bench.hyper, Key(7));
    // One that is random itself draws anew in every turn: then the weights
    // tell.
    const bool random = estimator->reseed(Key(8));
    const auto seen = [&] {
      const ParameterSet gradient = estimator->estimate(bench.hyper).gradient;
      return random ? estimator->weights(bench.hyper) : gradient;
    };
    const ParameterSet first = seen();
    for (int i = 0; i < 2; ++i) CHECK(equal(seen(), first));
    CHECK_FALSE(equal(seen(), first));
  }
}

}  // namespace nestgrad
