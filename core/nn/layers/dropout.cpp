#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = x m / (1 - rate), each m independently 0 with probability `rate` and 1
/// otherwise. The mask follows the key of the pass alone, and has no derivative
/// by the rate. Outside of training y = x.
class Dropout : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Sets numbers to zero at random and enlarges the others so that "
               "the mean stays. Only in training.")
        .setting("rate", 0.5, "Probability that a number is set to zero.",
                 from_below(0, 1));
  }

  Dropout(const Config& config, const Shape& input)
      : SameShape(input),
        rate_(config, "rate",
              noise_strength("Probability that a number is set to zero.",
                             Coordinates::logit())) {}

  Tensor apply(const Weights&, const Tensor& x,
               const Pass& pass) const override {
    if (!pass.training || rate_.is(0)) return x;
    const Tensor rate = rate_.value(x, pass);
    const Tensor kept = pass.uniform(x) >= rate;
    return x * kept.to(rate.scalar_type()).div_(1 - rate).to(x.scalar_type());
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({rate_});
  }

 private:
  LayerSetting rate_;
};

NESTGRAD_REGISTER(LayerRegistry, "dropout", Dropout)

}  // namespace
}  // namespace nestgrad
