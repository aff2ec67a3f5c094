#include <ATen/ATen.h>

#include "core/training_loop.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// 10,000 weights, each with the loss a (w - 1)^2 / 2.
class Gaussians : public ProblemDecorator {
 public:
  explicit Gaussians(double precision)
      : ProblemDecorator(std::make_shared<testing::TinyNetwork>()),
        precision_(precision) {}

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"w", at::full({10000}, 1., float64())}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return 0.5 * precision_ * (weights.at("w") - 1).square().sum();
  }

 private:
  double precision_;
};

TrainingLoop sgld_loop(double precision, const Json& more) {
  Json rule = {{"type", "sgld"}, {"examples", 20}};
  rule.update(more);
  return {std::make_shared<Gaussians>(precision),
          std::shared_ptr<const Optimizer>(
              OptimizerRegistry::instance().make(rule))};
}

Tensor weights_after(const TrainingLoop& loop, std::int64_t steps,
                     const Key& run) {
  return loop.steps(loop.start({}, run), steps, {}, run).weights.at("w");
}

}  // namespace

TEST_CASE("weights moved by Langevin dynamics have the density that it is for",
          "[optimizer]") {
  // A step is w - 1 <- r (w - 1) + sqrt(lr T / N) e with r = 1 - lr a / 2, so
  // the variance tends to lr T / N / (1 - r^2) = T / (N a (1 - lr a / 4)).
  for (const auto& [precision, temperature, decay] :
       {std::tuple(2., 1., 0.), {0.5, 0.3, 0.}, {1., 1., 1.}}) {
    CAPTURE(precision, temperature, decay);
    const double lr = 0.2, a = precision + decay, n = 20;
    const TrainingLoop loop = sgld_loop(
        precision,
        {{"lr", lr}, {"temperature", temperature}, {"weight_decay", decay}});
    const Tensor w = weights_after(loop, 300, Key(3)).to(at::kCPU);
    const double variance = temperature / (n * a * (1 - lr * a / 4));
    // The mean of 10,000 is known to 1 %, their variance to 1.4 %.
    CHECK(w.mean().item<double>() ==
          Approx(precision / a).margin(0.04 * std::sqrt(variance)));
    CHECK(w.var().item<double>() == Approx(variance).epsilon(0.06));
  }
}

TEST_CASE("noise of a rule is a function of the run and of the step",
          "[optimizer]") {
  const TrainingLoop loop = sgld_loop(1, {{"lr", 0.1}});
  const Tensor once = weights_after(loop, 3, Key(1));
  CHECK(at::equal(once, weights_after(loop, 3, Key(1))));
  CHECK(!at::equal(once, weights_after(loop, 3, Key(2))));
  // Continued in the middle.
  const TrainState half = loop.steps(loop.start({}, Key(1)), 2, {}, Key(1));
  CHECK(at::equal(once, loop.step(half, {}, Key(1)).weights.at("w")));
  // On the tape and off it.
  CHECK(at::equal(once,
                  loop.steps(loop.start({}, Key(1)), 3, {}, Key(1), Tape::kOn)
                      .weights.at("w")));
  // Two steps have noise of their own.
  const Tensor first = weights_after(loop, 1, Key(1)),
               second = weights_after(loop, 2, Key(1));
  CHECK(!at::allclose(first - 1, second - 0.95 * (first - 1) - 1));
}

TEST_CASE("a rule that draws noise is refused where there is none",
          "[optimizer]") {
  const auto rule = OptimizerRegistry::instance().make(
      Json{{"type", "sgld"}, {"examples", 3}});
  const ParameterSet w{{"w", at::ones({2}, float64())}};
  CHECK_THROWS_WITH(rule->step({w, {}}, w, {}),
                    ContainsSubstring("draws noise"));
}

}  // namespace nestgrad
