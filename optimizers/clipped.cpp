#include <ATen/ATen.h>

#include "core/optimizer.h"
#include "core/particles.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

/// Any rule, applied to gradients of bounded Euclidean norm:
///
///   g <- g min(1, max_norm / |g|)
///
/// Differentiable wherever |g| is not exactly max_norm; at g = 0 the gradient
/// passes unchanged.
class Clipped : public Optimizer {
 public:
  explicit Clipped(const Config& config)
      : max_norm_(Setting::read(config, "max_norm")),
        rule_(OptimizerRegistry::instance().make(config.object("rule"))) {}

  static Schema schema() {
    return Schema("Any rule, with gradients clipped to a norm.")
        .setting("max_norm", 1,
                 "Largest norm of a gradient that is not clipped.", above(0))
        .object("rule", OptimizerRegistry::instance(), "sgd",
                "The rule that gets the clipped gradient.");
  }

  bool vectorizes() const override { return rule_->vectorizes(); }
  bool sees_tensors() const override { return rule_->sees_tensors(); }
  std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const override {
    return rule_->hyperparameters(weights);
  }

  ParameterSet slots(const ParameterSet& weights) const override {
    return rule_->slots(weights);
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Tensor limit = max_norm_.one(natural, state);
    if (state.particles > 0) {
      Tensor square;  // [particles]
      for (const Tensor& g : gradient.tensors()) {
        add_to(square, g.square().reshape({g.size(0), -1}).sum(1));
      }
      const Tensor ratio = limit / square.sqrt();
      const Tensor factor = at::where(ratio < 1, ratio, at::ones_like(ratio));
      return rule_->step(state, gradient.map([&](const Tensor& g) {
        return along_first(factor, g) * g;
      }),
                         natural);
    }
    const Tensor square = dot(gradient, gradient);
    // A gradient within the limit is passed on unchanged. For it 1 stands in
    // the place of its norm, because sqrt has no derivative at 0.
    const Tensor passes = square <= limit.square();
    const Tensor ratio =
        limit / at::where(passes, at::ones_like(square), square).sqrt();
    const Tensor factor = at::where(passes, at::ones_like(ratio), ratio);
    return rule_->step(state, factor * gradient, natural);
  }

  Setting max_norm_;
  std::unique_ptr<Optimizer> rule_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "clipped", Clipped)

}  // namespace
}  // namespace nestgrad
