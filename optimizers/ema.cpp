#include <ATen/ATen.h>

#include <cmath>

#include "core/optimizer.h"
#include "core/tensor/part.h"

namespace nestgrad {
namespace {

/// Any rule, and beside it an exponential moving average of the weights, with
/// which a network that was trained from scratch is judged (Polyak and Juditsky
/// 1992, "Acceleration of stochastic approximation by averaging"):
///
///   a <- decay a + (1 - decay) w,   a = 0 at first
///   deployed: a / (1 - decay^t) after t steps
///
/// Training itself goes on from w, as without it.
class Ema : public Optimizer {
 public:
  explicit Ema(const Config& config)
      : decay_(config.number("decay")),
        rule_(OptimizerRegistry::instance().make(config.object("rule"))) {
    const ParameterSet one{{"w", at::zeros({1})}};
    if (rule_->slots(one).contains("average/w")) {
      config.fail("rule", "has an average of its own");
    }
  }

  static Schema schema() {
    return Schema(
               "Any rule, with a moving average of the weights by which "
               "networks trained from scratch are judged.")
        .number("decay", 0.995, "The share of the average that stays.",
                from_below(0, 1))
        .object("rule", OptimizerRegistry::instance(), "sgd",
                "The rule that trains.");
  }

  bool vectorizes() const override { return rule_->vectorizes(); }
  bool moves_each_number() const override { return rule_->moves_each_number(); }
  bool sees_tensors() const override { return rule_->sees_tensors(); }
  bool draws_noise() const override { return rule_->draws_noise(); }
  std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const override {
    return rule_->hyperparameters(weights);
  }

  /// The averages, then those of the rule.
  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots;
    slots.append("average/", weights.zeros());
    slots.append("", rule_->slots(weights));
    return slots;
  }

  ParameterSet deployed(const TrainState& state) const override {
    if (state.step == 0) return state.weights;
    const double known = 1 - std::pow(decay_, static_cast<double>(state.step));
    return (1 / known) * part(state.slots, 0, state.weights);
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const std::size_t n = state.weights.size();
    const ParameterSet of_rule = part(state.slots, n, state.slots.size() - n);
    TrainState next = rule_->step(
        {state.weights, of_rule, state.step, state.particles, state.noise},
        gradient, natural);
    const ParameterSet average = decay_ * part(state.slots, 0, state.weights) +
                                 (1 - decay_) * next.weights;
    std::vector<Tensor> slots = average.tensors();
    slots.insert(slots.end(), next.slots.tensors().begin(),
                 next.slots.tensors().end());
    next.slots = state.slots.with(std::move(slots));
    return next;
  }

  double decay_;
  std::unique_ptr<Optimizer> rule_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "ema", Ema)

}  // namespace
}  // namespace nestgrad
