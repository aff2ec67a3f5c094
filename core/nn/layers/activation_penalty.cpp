#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/operators.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// Returns its input x and adds alpha times the mean of x^2 to the training
/// loss (Merity, McCann and Socher 2017, "Revisiting activation regularization
/// for language RNNs").
class ActivationPenalty : public SameShape {
 public:
  ActivationPenalty(const Config& config, const Shape& input)
      : SameShape(input),
        axes_(static_cast<std::int64_t>(input.size())),
        strength_(config, "strength",
                  strength(kMeaning, Coordinates::softplus())) {}

  static Schema schema() {
    return Schema(
               "Adds a multiple of the mean square of its input to the "
               "training loss.")
        .setting("strength", 1, kMeaning, at_least(0));
  }

  Tensor apply(const Weights&, const Tensor& input,
               const Pass& pass) const final {
    if (!pass.training || pass.penalties == nullptr) return input;
    const Tensor x = at_least_float32(to_first_order(input));
    const Tensor squares = penalized(x).square().flatten(-axes_).mean(-1);
    pass.penalize(strength_.value(squares, pass) * squares);
    return input;
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({strength_});
  }

 protected:
  static constexpr const char* kMeaning = "Factor of the mean square.";

  virtual Tensor penalized(const Tensor& x) const { return x; }

 private:
  std::int64_t axes_;
  LayerSetting strength_;
};

/// The same with the mean of (x_t - x_{t-1})^2.
class SlownessPenalty : public ActivationPenalty {
 public:
  SlownessPenalty(const Config& config, const Shape& input)
      : ActivationPenalty(config, input) {
    if (input.size() != 2 || input[0] < 2) {
      refuse_input(config, "sequences [time, features] of 2 steps or more",
                   input);
    }
  }

  static Schema schema() {
    return Schema(
               "Adds a multiple of the mean square of the steps of a sequence "
               "to the training loss.")
        .setting("strength", 1, kMeaning, at_least(0));
  }

 private:
  Tensor penalized(const Tensor& x) const override { return x.diff(1, -2); }
};

NESTGRAD_REGISTER(LayerRegistry, "activation_penalty", ActivationPenalty)
NESTGRAD_REGISTER(LayerRegistry, "slowness_penalty", SlownessPenalty)

}  // namespace
}  // namespace nestgrad
