#include "core/hyper_space.h"
#include "hypergrad/estimator.h"
#include "tests/hypergrad/evolution/theta.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

TEST_CASE("a map from state to state is refused where its loss is needed",
          "[estimator]") {
  const TrainingLoop loop(
      ProblemRegistry::instance().make(Json("influence_balancing"),
                                       {float64(), Key(1)}),
      OptimizerRegistry::instance().make(Json{{"type", "sgd"}, {"lr", 1}}));
  const auto estimate = [&](Json section) {
    section["window"] = 3;
    const auto estimator = EstimatorRegistry::instance().make(section, loop);
    estimator->begin(theta(0.5), Key(1));
    return estimator->estimate(theta(0.5));
  };
  const Json differences = "finite_difference";
  for (const Json& section :
       {Json{{"type", "ift"},
             {"solver", {{"type", "minres"}, {"products", differences}}}},
        Json{{"type", "one_step"}, {"products", differences}},
        Json{{"type", "sama"}}, Json{{"type", "f2sa"}}}) {
    CAPTURE(section.dump());
    CHECK_THROWS_WITH(estimate(section),
                      ContainsSubstring("is a map from one state to the next"));
  }
  const ParameterSet exact =
      estimate({{"type", "ift"}, {"solver", "dense"}}).gradient;
  CHECK(exact.flatten().abs().item<double>() > 0);
}

}  // namespace
}  // namespace nestgrad
