#include <ATen/ATen.h>

#include "core/optimizer.h"
#include "optimizers/decayed.h"

namespace nestgrad {
namespace {

/// Stochastic gradient Langevin dynamics (Welling and Teh 2011, "Bayesian
/// learning via stochastic gradient Langevin dynamics"): gradient descent with
/// as much noise as makes the weights samples of a posterior.
///
///   w <- w - lr / 2 (g + weight_decay w) + sqrt(lr temperature / examples) e
///
/// with e standard normal. For a training loss f that is a mean over `examples`
/// negative log likelihoods, and for small lr, the weights come from the
/// density
///
///   exp(-examples / temperature (f(w) + weight_decay w^2 / 2)).
///
/// With the usual step size this is the published rule for the step
/// lr / examples.
class Sgld : public Optimizer {
 public:
  explicit Sgld(const Config& config)
      : lr_(Setting::read(config, "lr")),
        weight_decay_(Setting::read(config, "weight_decay")),
        temperature_(Setting::read(config, "temperature")),
        examples_(static_cast<double>(config.integer("examples"))) {}

  static Schema schema() {
    return Schema(
               "Stochastic gradient Langevin dynamics, whose weights are "
               "samples of a posterior.")
        .setting("lr", 0.01, "Learning rate.", at_least(0))
        .setting("weight_decay", 0,
                 "Precision of the prior of each weight, divided by "
                 "`examples`.",
                 at_least(0))
        .setting("temperature", 1,
                 "1: the posterior; 0: gradient descent, without noise.",
                 at_least(0))
        .integer("examples", kRequired,
                 "How many training examples the loss is a mean over.",
                 at_least(1));
  }

  bool vectorizes() const override { return false; }
  bool draws_noise() const override { return true; }
  bool sees_tensors() const override { return true; }

  ParameterSet slots(const ParameterSet&) const override { return {}; }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Scale lr = lr_.scale(natural, state);
    const ParameterSet g = decayed(gradient, weight_decay_, state, natural);
    const Scale half = lr.map([](const Tensor& t) { return 0.5 * t; });
    const Scale deviation =
        (lr * temperature_.scale(natural, state)).map([this](const Tensor& t) {
          return (t / examples_).sqrt();
        });
    return {add(subtract(state.weights, half, g), deviation,
                state.noise->normal(state.weights)),
            state.slots, state.step + 1};
  }

  Setting lr_, weight_decay_, temperature_;
  double examples_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "sgld", Sgld)

}  // namespace
}  // namespace nestgrad
