#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"
#include "tests/kit/numbers.h"

namespace nestgrad {
namespace {

const std::vector<Json> kRules = {
    {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}},
    {{"type", "adam"}, {"lr", "$lr"}},
    {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.6}}};

/// |gradient - central differences of the claim| / |gradient|, in the first and
/// in the third estimate; nothing if there is no claim.
std::vector<double> errors(HypergradientEstimator& estimator,
                           ParameterSet hyper) {
  estimator.begin(hyper, Key(7));
  std::vector<double> out;
  for (int i = 0; i < 3; ++i) {
    const ParameterSet gradient = estimator.estimate(hyper).gradient;
    const Objective claim = estimator.claim();
    if (claim && i != 1) {
      const ParameterSet reference = central_differences(hyper, claim);
      const double error = norm(gradient - reference).item<double>();
      // Both may be zero.
      out.push_back(error == 0 ? 0 : error / norm(gradient).item<double>());
    }
    hyper = add(hyper, -0.05, gradient).detach();
  }
  return out;
}

/// The estimator, or null if it refuses the training rule.
std::unique_ptr<HypergradientEstimator> make(const Json& json,
                                             const TrainingLoop& loop) {
  try {
    return EstimatorRegistry::instance().make(json, loop);
  } catch (const ConfigError&) {
    return nullptr;
  }
}

void check_claims(const Json& json, double tolerance) {
  int accepted = 0;
  for (const Json& rule : kRules) {
    for (const bool network : {false, true}) {
      CAPTURE(json.dump(), rule.dump(), network);
      const Bench bench =
          network ? network_bench(rule, /*batch=*/4) : ridge_bench(rule);
      const auto estimator = make(json, *bench.loop);
      if (!estimator) continue;
      ++accepted;
      for (const double error : errors(*estimator, bench.hyper)) {
        CHECK(error < tolerance);
      }
    }
  }
  CHECK(accepted >= 2);
}

}  // namespace

TEST_CASE("first-order estimators compute what they claim with other settings",
          "[claim]") {
  // The only hyperparameter of these losses is a decay, for which products by
  // central differences are exact up to rounding.
  for (Json json :
       {Json{{"type", "one_step"}, {"products", "finite_difference"}},
        Json{{"type", "one_step"}, {"lookahead", 0}},
        Json{{"type", "one_step"}, {"lookahead", 1.0}, {"horizon", 4}},
        Json{{"type", "sama"}, {"difference", 1}, {"horizon", 8}},
        Json{{"type", "f2sa"}, {"penalty", 3}, {"penalty_growth", 2}},
        Json{{"type", "f2sa"}, {"horizon", 4}, {"outer_steps_per_window", 2}},
        Json{{"type", "soba"}, {"scale", 0.3}, {"horizon", 8}},
        Json{{"type", "soba"}, {"outer_steps_per_window", 2}}}) {
    json["window"] = 4;
    check_claims(json, 1e-6);
  }
}

}  // namespace nestgrad
