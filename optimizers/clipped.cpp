#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/optimizer.h"
#include "core/particles.h"
#include "core/tensor/part.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

/// Any rule, applied to gradients of bounded Euclidean norm:
///
///   g <- g min(1, limit / |g|)
///
/// Differentiable wherever |g| is not exactly the limit; at g = 0 the gradient
/// passes unchanged. The limit is max_norm or, if it is `relative`, a multiple
/// of the running mean of the norms that the rule got before (Feng, Vedantam
/// and Kempe 2024, "Embarrassingly simple dataset distillation"):
///
///   limit = max_norm n / (1 - decay^t)
///   n <- decay n + (1 - decay) min(|g|, limit)
///
/// with n = 0 at first, when every gradient passes. What is clipped enters n
/// clipped, so that one huge gradient does not open the way for the next.
class Clipped : public Optimizer {
 public:
  explicit Clipped(const Config& config)
      : max_norm_(Setting::read(config, "max_norm")),
        relative_(config.boolean("relative")),
        decay_(config.number("decay")),
        rule_(OptimizerRegistry::instance().make(config.object("rule"))) {}

  static Schema schema() {
    return Schema("Any rule, with gradients clipped to a norm.")
        .setting("max_norm", 1,
                 "Largest norm of a gradient that is not clipped.", above(0))
        .boolean("relative", false,
                 "Whether max_norm counts in running means of the norms so "
                 "far: 2 lets pass what is at most twice as long as usual.")
        .number("decay", 0.9,
                "Of the running mean: the share that it keeps at each step.",
                from_below(0, 1))
        .object("rule", OptimizerRegistry::instance(), "sgd",
                "The rule that gets the clipped gradient.");
  }

  bool vectorizes() const override { return !relative_ && rule_->vectorizes(); }
  bool sees_tensors() const override { return rule_->sees_tensors(); }
  bool draws_noise() const override { return rule_->draws_noise(); }
  std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const override {
    return rule_->hyperparameters(weights);
  }

  ParameterSet deployed(const TrainState& state) const override {
    return rule_->deployed(state);
  }

  /// Those of the rule and, last, n.
  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots = rule_->slots(weights);
    if (relative_) {
      slots.insert(fmt::format("running_norm_{}", slots.size()),
                   weights.tensors().front().new_zeros({}));
    }
    return slots;
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Tensor max_norm = max_norm_.one(natural, state);
    if (relative_) return relative(state, gradient, natural, max_norm);
    if (state.particles > 0) {
      Tensor square;  // [particles]
      for (const Tensor& g : gradient.tensors()) {
        add_to(square, g.square().reshape({g.size(0), -1}).sum(1));
      }
      const Tensor ratio = max_norm / square.sqrt();
      const Tensor factor = at::where(ratio < 1, ratio, at::ones_like(ratio));
      return rule_->step(state, gradient.map([&](const Tensor& g) {
        return along_first(factor, g) * g;
      }),
                         natural);
    }
    const Tensor square = dot(gradient, gradient);
    const Tensor factor =
        factor_of(square, max_norm, square <= max_norm.square());
    return rule_->step(state, factor * gradient, natural);
  }

  TrainState relative(const TrainState& state, const ParameterSet& gradient,
                      const ParameterSet& natural,
                      const Tensor& max_norm) const {
    const std::size_t own = state.slots.size() - 1;
    const Tensor mean = state.slots.tensors()[own].to(max_norm.scalar_type());
    const auto t = static_cast<double>(state.step);
    const double known = 1 - std::pow(decay_, t);  // 0 at first
    const Tensor limit = known > 0 ? max_norm * mean / known : mean;
    const Tensor square = dot(gradient, gradient).to(limit.scalar_type());
    const Tensor passes = (square <= limit.square()).logical_or(mean == 0);
    const Tensor factor = factor_of(square, limit, passes);
    // sqrt has no derivative at 0.
    const Tensor norm =
        at::where(square > 0, square, at::ones_like(square)).sqrt() *
        (square > 0).to(square.scalar_type());
    const Tensor next_mean = decay_ * mean + (1 - decay_) * factor * norm;

    TrainState next =
        rule_->step({state.weights, part(state.slots, 0, own), state.step,
                     /*particles=*/0, state.noise},
                    factor * gradient, natural);
    std::vector<Tensor> slots = next.slots.tensors();
    slots.push_back(next_mean);
    next.slots = state.slots.with(std::move(slots));
    return next;
  }

  /// min(1, limit / |g|) for the square of |g|.
  static Tensor factor_of(const Tensor& square, const Tensor& limit,
                          const Tensor& passes) {
    // A gradient within the limit is passed on unchanged. For it 1 stands in
    // the place of its norm, because sqrt has no derivative at 0.
    const Tensor ratio =
        limit / at::where(passes, at::ones_like(square), square).sqrt();
    return at::where(passes, at::ones_like(ratio), ratio);
  }

  Setting max_norm_;
  bool relative_;
  double decay_;
  std::unique_ptr<Optimizer> rule_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "clipped", Clipped)

}  // namespace
}  // namespace nestgrad
