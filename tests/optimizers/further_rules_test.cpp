// Rules that PyTorch's own do not judge.

#include <algorithm>
#include <cmath>

#include "core/optimizer.h"
#include "core/tensor/autodiff.h"
#include "tests/kit/numbers.h"
#include "tests/optimizers/some_weights.h"

namespace nestgrad {

TEST_CASE("Nesterov's form without momentum is refused", "[optimizer]") {
  CHECK_THROWS_WITH(OptimizerRegistry::instance().make(
                        Json::parse(R"({"type": "sgd", "nesterov": true})")),
                    ContainsSubstring("/nesterov") &&
                        ContainsSubstring("needs a momentum other than 0"));
}

TEST_CASE("a gradient of zero passes the clipping, derivatives included",
          "[optimizer]") {
  const auto rule = OptimizerRegistry::instance().make(
      Json::parse(R"({"type": "clipped", "rule": {"type": "sgd", "lr": 1}})"));
  const ParameterSet g = weights().zeros().leaves();
  const TrainState next = rule->step({weights(), {}, 0}, g, {});
  CHECK(at::equal(next.weights.flatten(), weights().flatten()));
  CHECK(at::equal(gradient(next.weights.flatten().sum(), g).flatten(),
                  at::full({6}, -1, float64())));
}

TEST_CASE("relative clipping cuts at a multiple of the norms so far",
          "[optimizer]") {
  const auto rule = OptimizerRegistry::instance().make(
      Json{{"type", "clipped"},
           {"max_norm", 2},
           {"relative", true},
           {"rule", {{"type", "sgd"}, {"lr", 1}}}});
  TrainState state{weights(), rule->slots(weights()), 0};
  const ParameterSet unit = (1 / length(some_gradient(1))) * some_gradient(1);
  double mean = 0;  // by the formula
  // The first passes, so does what is at most twice as long as usual. Zeros
  // change nothing but the mean.
  const std::vector<double> norms = {3, 4, 5, 1000, 1000, 0, 0.1, 30};
  for (std::size_t t = 0; t < norms.size(); ++t) {
    const double limit =
        t == 0 ? norms[t]
               : 2 * mean / (1 - std::pow(0.9, static_cast<double>(t)));
    const double expected = std::min(norms[t], limit);
    mean = 0.9 * mean + 0.1 * expected;
    const TrainState next = rule->step(state, norms[t] * unit, {});
    CAPTURE(t);
    CHECK(length(state.weights - next.weights) == Approx(expected));
    state = next;
  }
  CHECK(state.slots.tensors().back().item<double>() == Approx(mean));

  // As long as all gradients are zero, the next one passes.
  TrainState quiet{weights(), rule->slots(weights()), 0};
  for (int t = 0; t < 3; ++t) quiet = rule->step(quiet, unit.zeros(), {});
  CHECK(length(quiet.weights - weights()) == 0);
  CHECK(length(rule->step(quiet, 7 * unit, {}).weights - weights()) ==
        Approx(7));
}

TEST_CASE("ema trains by its rule and judges by the mean of the weights",
          "[optimizer]") {
  const auto ema = OptimizerRegistry::instance().make(
      Json{{"type", "ema"}, {"decay", 0.6}, {"rule", {{"type", "adam"}}}});
  const auto adam = OptimizerRegistry::instance().make(Json{{"type", "adam"}});
  TrainState averaged{weights(), ema->slots(weights()), 0};
  TrainState plain{weights(), adam->slots(weights()), 0};
  CHECK(length(ema->deployed(averaged) - weights()) == 0);
  std::vector<ParameterSet> all;
  for (int k = 0; k < 4; ++k) {
    averaged = ema->step(averaged, some_gradient(k), {});
    plain = adam->step(plain, some_gradient(k), {});
    CHECK(length(averaged.weights - plain.weights) == 0);
    all.push_back(plain.weights);
    // The last one counts 1, the one before 0.6, then 0.36, ...
    ParameterSet sum = weights().zeros();
    double shares = 0;
    for (int j = 0; j <= k; ++j) {
      const double share = std::pow(0.6, k - j);
      sum = sum + share * all[static_cast<std::size_t>(j)];
      shares += share;
    }
    CHECK(relative_error(ema->deployed(averaged), (1 / shares) * sum) < 1e-13);
  }
  // Also inside of another rule.
  const auto clipped = OptimizerRegistry::instance().make(
      Json{{"type", "clipped"},
           {"relative", true},
           {"rule", {{"type", "ema"}, {"decay", 0.6}}}});
  TrainState state{weights(), clipped->slots(weights()), 0};
  state = clipped->step(state, some_gradient(0), {});
  CHECK(relative_error(clipped->deployed(state), state.weights) < 1e-13);
}

TEST_CASE("lamb steps by Adam's direction, as long as the tensor",
          "[optimizer]") {
  const auto lamb = OptimizerRegistry::instance().make(
      Json{{"type", "lamb"}, {"lr", 0.1}, {"weight_decay", 0.2}});
  const auto adam =
      OptimizerRegistry::instance().make(Json{{"type", "adam"}, {"lr", 1}});
  TrainState state{weights(), lamb->slots(weights()), 0};
  for (int k = 0; k < 3; ++k) {
    const ParameterSet direction =
        state.weights - adam->step(state, some_gradient(k), {}).weights +
        0.2 * state.weights;
    const ParameterSet expected =
        state.weights.zip(direction, [](const Tensor& w, const Tensor& u) {
          return w - 0.1 * w.norm() / u.norm() * u;
        });
    state = lamb->step(state, some_gradient(k), {});
    CHECK(relative_error(state.weights, expected) < 1e-12);
  }
  // A tensor of zeros would never move.
  const ParameterSet zeros = weights().zeros();
  const auto moved =
      lamb->step({zeros, lamb->slots(zeros), 0}, some_gradient(0), {});
  CHECK(relative_error(moved.weights, adam->step({zeros, adam->slots(zeros), 0},
                                                 some_gradient(0), {})
                                              .weights *
                                          zeros.map([](const Tensor& t) {
                                            return at::full_like(t, 0.1);
                                          })) < 1e-12);
}

TEST_CASE("lamb passes derivatives through a tensor that never moves",
          "[optimizer]") {
  const auto rule =
      OptimizerRegistry::instance().make(Json{{"type", "lamb"}, {"lr", "$lr"}});
  for (const auto type : {at::kFloat, at::kDouble}) {
    const ParameterSet start =
        ParameterSet{{"dead", at::ones({2}, float64().dtype(type))},
                     {"alive", at::ones({2}, float64().dtype(type))}}
            .leaves();
    const ParameterSet g =
        ParameterSet{{"dead", at::zeros({2}, float64().dtype(type))},
                     {"alive", at::ones({2}, float64().dtype(type))}}
            .leaves();
    const ParameterSet natural{{"lr", at::full({}, 0.1, float64())}};
    TrainState state{start, rule->slots(start), 0};
    for (int k = 0; k < 3; ++k) state = rule->step(state, g, natural);
    const Tensor sum = state.weights.flatten().sum();
    CHECK(all_finite(gradient(sum, start, Tape::kOff, Graph::kKeep)));
    CHECK(all_finite(gradient(sum, g)));
  }
}

TEST_CASE("an average of an average is refused", "[optimizer]") {
  CHECK_THROWS_WITH(OptimizerRegistry::instance().make(
                        Json{{"type", "ema"}, {"rule", {{"type", "ema"}}}}),
                    ContainsSubstring("/rule: has an average of its own"));
}

}  // namespace nestgrad
