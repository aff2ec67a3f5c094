#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// Leaves its input x alone and adds a multiple of a mean square to the
/// training loss (Merity, McCann and Socher 2017, "Revisiting activation
/// regularization for language RNNs"): alpha mean x^2.
class ActivationPenalty : public SameShape {
 public:
  ActivationPenalty(const Config& config, const Shape& input)
      : SameShape(input),
        strength_(config, "strength",
                  strength(kMeaning, Coordinates::softplus())) {}

  static Schema schema() {
    return Schema(
               "Adds a multiple of the mean square of its input to the "
               "training loss.")
        .setting("strength", 1, kMeaning, at_least(0));
  }

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass& pass) const final {
    if (!pass.training || pass.penalties == nullptr) return input;
    const Tensor x = pass.linear ? to_first_order(input) : input;
    const Tensor squares = penalized(x).square().flatten(1).mean(1);
    const Tensor strength = strength_.value(x, pass).reshape(-1);
    pass.penalties->push_back((strength * squares).mean());
    return input;
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({strength_});
  }

 protected:
  static constexpr const char* kMeaning = "Factor of the mean square.";

  virtual Tensor penalized(const Tensor& x) const { return x; }

 private:
  LayerSetting strength_;
};

/// beta mean (x_t - x_{t-1})^2.
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
  Tensor penalized(const Tensor& x) const override { return x.diff(1, 1); }
};

NESTGRAD_REGISTER(LayerRegistry, "activation_penalty", ActivationPenalty)
NESTGRAD_REGISTER(LayerRegistry, "slowness_penalty", SlownessPenalty)

}  // namespace
}  // namespace nestgrad
