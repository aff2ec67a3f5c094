#include <ATen/ATen.h>

#include "core/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = x m / (1 - rate), each m independently 0 with probability `rate` and 1
/// otherwise. The mask follows the key of the pass alone. Outside of training
/// y = x.
class Dropout : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Sets numbers to zero at random and enlarges the others so that "
               "the mean stays. Only in training.")
        .number("rate", 0.5, "Probability that a number is set to zero.",
                from_below(0, 1));
  }

  Dropout(const Config& config, const Shape& input)
      : SameShape(input), rate_(config.number("rate")) {}

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass& pass) const override {
    if (!pass.training || rate_ == 0) return input;
    const Tensor kept = pass.key.uniform(input) >= rate_;
    return input * kept.to(input.scalar_type()).div_(1 - rate_);
  }

 private:
  double rate_;
};

NESTGRAD_REGISTER(LayerRegistry, "dropout", Dropout)

}  // namespace
}  // namespace nestgrad
