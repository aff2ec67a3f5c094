#include <ATen/ATen.h>

#include <optional>

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
  /// What weight decay is added to.
  enum class Decay { kGradient, kWeights, kDirection };

  explicit Adam(const Config& config, Decay decay = Decay::kGradient)
      : decay_(decay),
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
    std::optional<Scale> decay;
    if (!weight_decay_.is(0)) decay = weight_decay_.scale(natural, state);
    if (decay && decay_ == Decay::kWeights) w = w - (lr * *decay) * w;
    if (decay && decay_ == Decay::kGradient) g = g + *decay * w;
    const ParameterSet old_m = part(state.slots, 0, w);
    const ParameterSet old_v = part(state.slots, w.size(), w);
    // add() needs one pass; there may be millions of numbers.
    const ParameterSet m = add(beta1 * old_m, 1 - beta1, g);
    const ParameterSet v = add(beta2 * old_v, 1 - beta2, g * g);
    const Scale correction1 = 1 - beta1.pow(t);
    const Scale correction2 = 1 - beta2.pow(t);
    std::size_t i = 0;
    ParameterSet direction =
        m.zip(v, [&](const Tensor& first, const Tensor& second) {
          const Tensor mean = first / correction1[i];
          // Step by step, so that each intermediate result is freed at once.
          Tensor root = second / correction2[i++];
          root = root + root_epsilon_;
          root = root.sqrt();
          root = root + epsilon_;
          return mean / root;
        });
    if (decay && decay_ == Decay::kDirection) {
      direction = add(direction, *decay, w);
    }
    direction = scaled(direction, w);

    std::vector<Tensor> slots = m.tensors();
    slots.insert(slots.end(), v.tensors().begin(), v.tensors().end());
    return {subtract(w, lr, direction), state.slots.with(std::move(slots)),
            state.step + 1};
  }

  /// The direction of the step from w, which lr multiplies.
  virtual ParameterSet scaled(const ParameterSet& direction,
                              const ParameterSet&) const {
    return direction;
  }

  Decay decay_;
  Setting lr_, beta1_, beta2_;
  double epsilon_, root_epsilon_;
  Setting weight_decay_;
};

class AdamW : public Adam {
 public:
  explicit AdamW(const Config& config) : Adam(config, Decay::kWeights) {}
  static Schema schema() {
    return keys(Schema("Adam with decoupled weight decay."), 0.01);
  }
};

/// LAMB (You et al. 2020, "Large batch optimization for deep learning: training
/// BERT in 76 minutes"): the direction u of Adam, and weight decay beside it,
/// with a length that follows that of each tensor,
///
///   u <- m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t) + root_epsilon) +
///   epsilon)
///        + weight_decay w
///   w <- w - lr (|w| / |u|) u
///
/// where the factor is 1 for a tensor w or u of zeros.
class Lamb : public Adam {
 public:
  explicit Lamb(const Config& config) : Adam(config, Decay::kDirection) {}
  static Schema schema() {
    return keys(Schema("Adam with steps in proportion to the length of each "
                       "tensor (LAMB)."),
                0);
  }

  bool vectorizes() const override { return false; }
  bool moves_each_number() const override { return false; }
  bool sees_tensors() const override { return true; }

 private:
  ParameterSet scaled(const ParameterSet& direction,
                      const ParameterSet& w) const override {
    return direction.zip(w, [](const Tensor& u, const Tensor& x) {
      const Tensor of_u = u.square().sum(), of_x = x.square().sum();
      const Tensor known = (of_u > 0).logical_and(of_x > 0);
      // 1 stands for a square that is 0, where a root has no derivative.
      const Tensor one = at::ones_like(of_u);
      return at::where(known, of_x, one).sqrt() /
             at::where(known, of_u, one).sqrt() * u;
    });
  }
};

NESTGRAD_REGISTER(OptimizerRegistry, "adam", Adam)
NESTGRAD_REGISTER(OptimizerRegistry, "adamw", AdamW)
NESTGRAD_REGISTER(OptimizerRegistry, "lamb", Lamb)

}  // namespace
}  // namespace nestgrad
