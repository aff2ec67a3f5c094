#include "core/optimizer.h"
#include "core/tensor/part.h"

namespace nestgrad {
namespace {

/// Adam (Kingma and Ba 2015), as torch::optim::Adam, with t = 1, 2, ...:
///
///   g <- g + weight_decay w
///   m <- beta1 m + (1 - beta1) g
///   v <- beta2 v + (1 - beta2) g^2
///   w <- w - lr m / (1 - beta1^t)
///            / (sqrt(v / (1 - beta2^t) + root_epsilon) + epsilon)
///
/// AdamW (Loshchilov and Hutter 2019) leaves the gradient alone and decays the
/// weights first: w <- w - lr weight_decay w.
///
/// The derivative of sqrt at 0 is infinite. A gradient entry that has always
/// been zero (a dead unit) multiplies it by 0, which gives NaN. root_epsilon
/// makes this product 0. Its default does not change values, because it is far
/// below epsilon.
class Adam : public Optimizer {
 public:
  explicit Adam(const Config& config, bool decoupled = false)
      : decoupled_(decoupled),
        lr_(Setting::read(config, "lr")),
        beta1_(Setting::read(config, "beta1")),
        beta2_(Setting::read(config, "beta2")),
        epsilon_(config.number("epsilon")),
        root_epsilon_(config.number("root_epsilon")),
        weight_decay_(Setting::read(config, "weight_decay")) {}

  static Schema schema() {
    return keys(Schema("Adam: steps scaled by running moments."), 0);
  }

  bool vectorizes() const override { return true; }
  bool moves_each_number() const override { return true; }

  ParameterSet slots(const ParameterSet& weights) const override {
    ParameterSet slots;
    slots.append("first_moment/", weights.zeros());
    slots.append("second_moment/", weights.zeros());
    return slots;
  }

 protected:
  static Schema keys(Schema schema, double weight_decay) {
    return schema.setting("lr", 0.001, "Learning rate.", at_least(0))
        .setting("beta1", 0.9, "Decay rate of the first moment.",
                 from_below(0, 1))
        .setting("beta2", 0.999, "Decay rate of the second moment.",
                 from_below(0, 1))
        .number("epsilon", 1e-8, "Added to the root of the second moment.",
                above(0))
        .number("root_epsilon", 1e-30,
                "Added under the root, so that a step can be differentiated "
                "where the gradient is zero.",
                at_least(0))
        .setting("weight_decay", weight_decay, "Weight decay.", at_least(0));
  }

 private:
  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Scale lr = lr_.scale(natural, state);
    const Scale beta1 = beta1_.scale(natural, state);
    const Scale beta2 = beta2_.scale(natural, state);
    const auto t = static_cast<double>(state.step + 1);

    ParameterSet w = state.weights, g = gradient;
    if (!weight_decay_.is(0)) {
      const Scale decay = weight_decay_.scale(natural, state);
      if (decoupled_) {
        w = w - (lr * decay) * w;
      } else {
        g = g + decay * w;
      }
    }
    const ParameterSet old_m = part(state.slots, 0, w);
    const ParameterSet old_v = part(state.slots, w.size(), w);
    // add() needs one pass; there may be millions of numbers.
    const ParameterSet m = add(beta1 * old_m, 1 - beta1, g);
    const ParameterSet v = add(beta2 * old_v, 1 - beta2, g * g);
    const Scale correction1 = 1 - beta1.pow(t);
    const Scale correction2 = 1 - beta2.pow(t);
    std::size_t i = 0;
    const ParameterSet direction =
        m.zip(v, [&](const Tensor& first, const Tensor& second) {
          const Tensor mean = first / correction1[i];
          // Step by step, so that each intermediate result is freed at once.
          Tensor root = second / correction2[i++];
          root = root + root_epsilon_;
          root = root.sqrt();
          root = root + epsilon_;
          return mean / root;
        });

    std::vector<Tensor> slots = m.tensors();
    slots.insert(slots.end(), v.tensors().begin(), v.tensors().end());
    return {subtract(w, lr, direction), state.slots.with(std::move(slots)),
            state.step + 1};
  }

  bool decoupled_;
  Setting lr_, beta1_, beta2_;
  double epsilon_, root_epsilon_;
  Setting weight_decay_;
};

class AdamW : public Adam {
 public:
  explicit AdamW(const Config& config) : Adam(config, /*decoupled=*/true) {}
  static Schema schema() {
    return keys(Schema("Adam with decoupled weight decay."), 0.01);
  }
};

NESTGRAD_REGISTER(OptimizerRegistry, "adam", Adam)
NESTGRAD_REGISTER(OptimizerRegistry, "adamw", AdamW)

}  // namespace
}  // namespace nestgrad
