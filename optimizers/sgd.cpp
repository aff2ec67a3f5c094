#include "core/optimizer.h"
#include "optimizers/decayed.h"

namespace nestgrad {
namespace {

/// Stochastic gradient descent with momentum m, as torch::optim::SGD:
///
///   g <- g + weight_decay w
///   v <- m v + g                       v = 0 at first
///   w <- w - lr v                      or, Nesterov: w - lr (g + m v)
///
/// Without momentum (the constant 0) there are no slots.
class Sgd : public Optimizer {
 public:
  explicit Sgd(const Config& config)
      : lr_(Setting::read(config, "lr")),
        momentum_(Setting::read(config, "momentum")),
        weight_decay_(Setting::read(config, "weight_decay")),
        nesterov_(config.boolean("nesterov")) {
    if (nesterov_ && momentum_.is(0)) {
      config.fail("nesterov", "needs a momentum other than 0");
    }
  }

  static Schema schema() {
    return Schema("Stochastic gradient descent, with momentum.")
        .setting("lr", 0.01, "Learning rate.", at_least(0))
        .setting("momentum", 0, "Factor of the previous velocity.",
                 from_to(0, 1))
        .boolean("nesterov", false, "Whether to use Nesterov's momentum.")
        .setting("weight_decay", 0, "Weight decay, added to the gradient.",
                 at_least(0));
  }

  bool vectorizes() const override { return true; }
  bool moves_each_number() const override { return true; }

  bool same_at_every_step(const ParameterSet& natural,
                          std::int64_t particles) const override {
    return lr_.same_at_every_step(natural, particles) &&
           momentum_.same_at_every_step(natural, particles) &&
           weight_decay_.same_at_every_step(natural, particles);
  }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots;
    if (!momentum_.is(0)) slots.append("velocity/", weights.zeros());
    return slots;
  }

  /// None for Nesterov's form: it adds the gradient at the old w, which cannot
  /// be recovered from the new w. None without momentum: then there is no
  /// velocity to go back by.
  std::optional<MomentumStep> momentum_step(const ParameterSet& natural,
                                            std::int64_t step) const override {
    const Tensor lr = lr_.value(natural, step),
                 momentum = momentum_.value(natural, step),
                 decay = weight_decay_.value(natural, step);
    const bool one = lr.dim() == 0 && momentum.dim() == 0 && decay.dim() == 0;
    if (!one || momentum_.is(0) || nesterov_) return std::nullopt;
    return MomentumStep{lr.item<double>(), momentum.item<double>(),
                        decay.item<double>()};
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Scale lr = lr_.scale(natural, state);
    const ParameterSet g = decayed(gradient, weight_decay_, state, natural);
    if (momentum_.is(0)) {
      return {subtract(state.weights, lr, g), state.slots, state.step + 1};
    }
    const Scale m = momentum_.scale(natural, state);
    const ParameterSet v = add(g, m, g.with(state.slots.tensors()));
    const ParameterSet direction = nesterov_ ? add(g, m, v) : v;
    return {subtract(state.weights, lr, direction),
            state.slots.with(v.tensors()), state.step + 1};
  }

  Setting lr_, momentum_, weight_decay_;
  bool nesterov_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "sgd", Sgd)

}  // namespace
}  // namespace nestgrad
