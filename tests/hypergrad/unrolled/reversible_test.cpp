#include <cmath>

#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"

namespace nestgrad {

TEST_CASE("reversible reports its bits and refuses what cannot be undone",
          "[reversible]") {
  const auto make = [](const Json& rule) {
    const Bench bench = network_bench(rule, /*batch=*/4);
    const auto estimator = EstimatorRegistry::instance().make(
        Json{{"type", "reversible"}, {"window", 200}}, *bench.loop);
    estimator->begin(bench.hyper, Key(7));
    return estimator->estimate(bench.hyper);
  };
  const Estimate got =
      make({{"type", "sgd"}, {"lr", "$lr"}, {"momentum", 0.9}});
  CHECK(got.status == Status::kOk);
  CHECK(got.metrics.at("bits_per_weight_and_step") ==
        Approx(std::log2(1 / 0.9)).epsilon(0.1));
  for (const Json& rule : {Json{{"type", "sgd"}, {"lr", 0.1}},
                           Json{{"type", "sgd"},
                                {"lr", 0.1},
                                {"momentum", 0.9},
                                {"nesterov", true}},
                           Json{{"type", "adam"}}}) {
    CAPTURE(rule.dump());
    CHECK_THROWS_WITH(make(rule), ContainsSubstring("needs inner sgd"));
  }
  // A learning rate that blows up leaves the range of exact numbers.
  const Estimate far = make({{"type", "sgd"}, {"lr", 1e6}, {"momentum", 0.9}});
  CHECK(far.status == Status::kDiverged);
  CHECK_THAT(far.trouble, ContainsSubstring("2048"));
}

}  // namespace nestgrad
