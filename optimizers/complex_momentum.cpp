#include <ATen/ATen.h>

#include "core/optimizer.h"
#include "core/tensor/part.h"
#include "optimizers/decayed.h"

namespace nestgrad {
namespace {

constexpr double kHalfTurn = 3.14159265358979323846;

/// A complex factor of modulus r and argument phi, for every tensor of a set.
struct ComplexScale {
  Scale re, im;

  /// r^t exp(i t phi).
  static ComplexScale power(const Scale& modulus, const Scale& argument,
                            double t) {
    const Scale size = modulus.pow(t);
    return {
        size * argument.map([&](const Tensor& x) { return (t * x).cos(); }),
        size * argument.map([&](const Tensor& x) { return (t * x).sin(); })};
  }
};

/// A complex number for each weight.
struct ComplexSet {
  ParameterSet re, im;

  /// The slots "real/" and "imaginary/", which are the first ones.
  static ComplexSet read(const TrainState& state) {
    const ParameterSet& w = state.weights;
    return {part(state.slots, 0, w), part(state.slots, w.size(), w)};
  }

  static ParameterSet slots(const ParameterSet& weights) {
    ParameterSet slots;
    slots.append("real/", weights.zeros());
    slots.append("imaginary/", weights.zeros());
    return slots;
  }

  std::vector<Tensor> tensors() const {
    std::vector<Tensor> all = re.tensors();
    all.insert(all.end(), im.tensors().begin(), im.tensors().end());
    return all;
  }
};

ComplexSet operator*(const ComplexScale& s, const ComplexSet& a) {
  return {subtract(s.re * a.re, s.im, a.im), add(s.re * a.im, s.im, a.re)};
}

/// What both rules have.
Schema with_common(Schema schema) {
  return schema
      .setting("argument", kHalfTurn / 8,
               "Argument of the complex momentum, in radians; 0: real, pi: "
               "negative.",
               from_to(-kHalfTurn, kHalfTurn))
      .setting("weight_decay", 0, "Weight decay, added to the gradient.",
               at_least(0));
}

/// Gradient descent with complex momentum (Lorraine, Acuna, Vicol and Duvenaud
/// 2022, "Complex momentum for optimization in games"):
///
///   g  <- g + weight_decay w
///   mu <- beta mu + g,   beta = momentum exp(i argument),   mu = 0 at first
///   w  <- w - lr Re(mu)
///
/// With the argument 0 it is sgd with momentum. Players of a game that turn
/// around each other come together where no real momentum lets them.
class ComplexSgd : public Optimizer {
 public:
  explicit ComplexSgd(const Config& config)
      : lr_(Setting::read(config, "lr")),
        momentum_(Setting::read(config, "momentum")),
        argument_(Setting::read(config, "argument")),
        weight_decay_(Setting::read(config, "weight_decay")) {}

  static Schema schema() {
    return with_common(
        Schema("Gradient descent with complex momentum, for games.")
            .setting("lr", 0.01, "Learning rate.", at_least(0))
            .setting("momentum", 0.8, "Modulus of the complex momentum.",
                     from_to(0, 1)));
  }

  bool vectorizes() const override { return true; }
  bool moves_each_number() const override { return true; }

  bool same_at_every_step(const ParameterSet& natural,
                          std::int64_t particles) const override {
    return lr_.same_at_every_step(natural, particles) &&
           momentum_.same_at_every_step(natural, particles) &&
           argument_.same_at_every_step(natural, particles) &&
           weight_decay_.same_at_every_step(natural, particles);
  }

  ParameterSet slots(const ParameterSet& weights) const override {
    return ComplexSet::slots(weights);
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const ComplexScale beta = ComplexScale::power(
        momentum_.scale(natural, state), argument_.scale(natural, state), 1);
    ComplexSet mu = beta * ComplexSet::read(state);
    mu.re = mu.re + decayed(gradient, weight_decay_, state, natural);
    return {subtract(state.weights, lr_.scale(natural, state), mu.re),
            state.slots.with(mu.tensors()), state.step + 1};
  }

  Setting lr_, momentum_, argument_, weight_decay_;
};

/// Adam with a complex first moment (in the same paper), with t = 1, 2, ...:
///
///   g <- g + weight_decay w
///   m <- beta m + (1 - beta) g,       beta = beta1 exp(i argument)
///   v <- beta2 v + (1 - beta2) g^2
///   w <- w - lr Re(m / (1 - beta^t))
///            / (sqrt(v / (1 - beta2^t) + root_epsilon) + epsilon)
///
/// With the argument 0 it is adam, and root_epsilon is what it is there.
class ComplexAdam : public Optimizer {
 public:
  explicit ComplexAdam(const Config& config)
      : lr_(Setting::read(config, "lr")),
        beta1_(Setting::read(config, "beta1")),
        argument_(Setting::read(config, "argument")),
        beta2_(Setting::read(config, "beta2")),
        epsilon_(config.number("epsilon")),
        root_epsilon_(config.number("root_epsilon")),
        weight_decay_(Setting::read(config, "weight_decay")) {}

  static Schema schema() {
    return with_common(
        Schema("Adam with a complex first moment, for games.")
            .setting("lr", 0.001, "Learning rate.", at_least(0))
            .setting("beta1", 0.8,
                     "Modulus of the decay rate of the first moment.",
                     from_below(0, 1))
            .setting("beta2", 0.999, "Decay rate of the second moment.",
                     from_below(0, 1))
            .number("epsilon", 1e-8, "Added to the root of the second moment.",
                    above(0))
            .number("root_epsilon", 1e-30,
                    "Added under the root, so that a step can be "
                    "differentiated where the gradient is zero.",
                    at_least(0)));
  }

  bool vectorizes() const override { return true; }
  bool moves_each_number() const override { return true; }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots = ComplexSet::slots(weights);
    slots.append("second_moment/", weights.zeros());
    return slots;
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const ParameterSet g = decayed(gradient, weight_decay_, state, natural);
    const Scale lr = lr_.scale(natural, state);
    const Scale modulus = beta1_.scale(natural, state);
    const Scale argument = argument_.scale(natural, state);
    const Scale beta2 = beta2_.scale(natural, state);
    const ParameterSet& w = state.weights;
    const auto t = static_cast<double>(state.step + 1);

    const ComplexScale beta = ComplexScale::power(modulus, argument, 1);
    ComplexSet m = beta * ComplexSet::read(state);
    m.re = add(m.re, 1 - beta.re, g);
    m.im = subtract(m.im, beta.im, g);
    const ParameterSet old_v = part(state.slots, 2 * w.size(), w);
    const ParameterSet v = add(beta2 * old_v, 1 - beta2, g * g);

    // Re(m / c) = (Re m Re c + Im m Im c) / |c|^2 with c = 1 - beta^t.
    const ComplexScale power = ComplexScale::power(modulus, argument, t);
    const Scale re = 1 - power.re, correction2 = 1 - beta2.pow(t);
    std::vector<Tensor> direction, slots = m.tensors();
    for (std::size_t i = 0; i < w.size(); ++i) {
      const Tensor &c = re[i], d = -power.im[i];
      const Tensor mean =
          (c * m.re.tensors()[i] + d * m.im.tensors()[i]) / (c * c + d * d);
      const Tensor root = v.tensors()[i] / correction2[i] + root_epsilon_;
      direction.push_back(mean / (root.sqrt() + epsilon_));
      slots.push_back(v.tensors()[i]);
    }
    return {subtract(w, lr, w.with(std::move(direction))),
            state.slots.with(std::move(slots)), state.step + 1};
  }

  Setting lr_, beta1_, argument_, beta2_;
  double epsilon_, root_epsilon_;
  Setting weight_decay_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "complex_adam", ComplexAdam)
NESTGRAD_REGISTER(OptimizerRegistry, "complex_sgd", ComplexSgd)

}  // namespace
}  // namespace nestgrad
