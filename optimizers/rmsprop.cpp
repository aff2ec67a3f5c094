#include "core/optimizer.h"
#include "core/tensor/part.h"

namespace nestgrad {
namespace {

/// RMSprop (Tieleman and Hinton 2012), as torch::optim::RMSprop:
///
///   g <- g + weight_decay w
///   s <- alpha s + (1 - alpha) g^2
///   d <- g / (sqrt(s + root_epsilon) + epsilon)
///   w <- w - lr d                      without momentum, or
///   b <- momentum b + d,   w <- w - lr b
///
/// By default s starts at zero, so the first step has the length lr / sqrt(1 -
/// alpha), which is ten times lr by default, for any gradient. With
/// `warm_start`, s starts at the square of the first gradient and the first
/// step has the length lr.
///
/// root_epsilon makes the step differentiable at a zero gradient, as in Adam.
class RmsProp : public Optimizer {
 public:
  explicit RmsProp(const Config& config)
      : lr_(Setting::read(config, "lr")),
        alpha_(Setting::read(config, "alpha")),
        momentum_(Setting::read(config, "momentum")),
        weight_decay_(Setting::read(config, "weight_decay")),
        epsilon_(config.number("epsilon")),
        root_epsilon_(config.number("root_epsilon")),
        warm_start_(config.boolean("warm_start")) {}

  static Schema schema() {
    return Schema("RMSprop: steps scaled by a running mean square.")
        .setting("lr", 0.01, "Learning rate.", at_least(0))
        .setting("alpha", 0.99, "Decay rate of the mean square.",
                 from_below(0, 1))
        .setting("momentum", 0, "Factor of the previous velocity.",
                 from_to(0, 1))
        .setting("weight_decay", 0, "Weight decay, added to the gradient.",
                 at_least(0))
        .number("epsilon", 1e-8, "Added to the root of the mean square.",
                above(0))
        .number("root_epsilon", 1e-30,
                "Added under the root, so that a step can be differentiated "
                "where the gradient is zero.",
                at_least(0))
        .boolean("warm_start", false,
                 "Whether the mean square starts at the square of the first "
                 "gradient, which avoids a long first step.");
  }

  bool vectorizes() const override { return true; }
  bool moves_each_number() const override { return true; }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots;
    slots.append("mean_square/", weights.zeros());
    if (!momentum_.is(0)) slots.append("velocity/", weights.zeros());
    return slots;
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Scale lr = lr_.scale(natural, state);
    const Scale alpha = alpha_.scale(natural, state);
    ParameterSet g = gradient;
    if (!weight_decay_.is(0)) {
      g = g + weight_decay_.scale(natural, state) * state.weights;
    }
    const ParameterSet square = g * g;
    const ParameterSet s =
        warm_start_ && state.step == 0
            ? square
            : alpha * part(state.slots, 0, g) + (1 - alpha) * square;
    ParameterSet d = g.zip(s, [&](const Tensor& x, const Tensor& mean) {
      return x / ((mean + root_epsilon_).sqrt() + epsilon_);
    });
    std::vector<Tensor> slots = s.tensors();
    if (!momentum_.is(0)) {
      d = momentum_.scale(natural, state) * part(state.slots, g.size(), g) + d;
      slots.insert(slots.end(), d.tensors().begin(), d.tensors().end());
    }
    return {state.weights - lr * d, state.slots.with(std::move(slots)),
            state.step + 1};
  }

  Setting lr_, alpha_, momentum_, weight_decay_;
  double epsilon_, root_epsilon_;
  bool warm_start_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "rmsprop", RmsProp)

}  // namespace
}  // namespace nestgrad
