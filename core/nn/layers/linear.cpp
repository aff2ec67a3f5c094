#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/row_wise.h"
#include "core/nn/layers/shapes.h"
#include "core/platform/batched_product.h"

namespace nestgrad {
namespace {

/// y = x W' + b, along the last dimension. weight: [out, in], bias: [out], both
/// U(+-1/sqrt(in)) at the start.
class Linear : public RowWise {
 public:
  static Schema schema() {
    return Schema("An affine map of every vector: y = W x + b.")
        .integer("out", kRequired, "Size of the output vectors.", at_least(1))
        .boolean("bias", true, "Whether there is a b.");
  }

  Linear(const Config& config, const Shape& input)
      : output_(input), bias_(config.boolean("bias")) {
    if (input.size() != 1 && input.size() != 2) {
      refuse_input(config,
                   "vectors [features] or sequences [time, features] (put a "
                   "flatten layer before it)",
                   input);
    }
    in_ = input.back();
    output_.back() = config.integer("out");
  }

  Shape output_shape() const override { return output_; }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(in_));
    const std::int64_t out = output_.back();
    ParameterSet weights;
    weights.insert("weight",
                   symmetric_uniform(key.fold("weight"), {out, in_}, bound));
    if (bias_) {
      weights.insert("bias", symmetric_uniform(key.fold("bias"), {out}, bound));
    }
    return weights;
  }

  Tensor apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                         const Pass&) const override {
    const Tensor x = input.dim() == 3 ? input : input.flatten(1, 2);
    Tensor y = batched_product(x, weights[0].transpose(1, 2));
    if (bias_) y = y + weights[1].unsqueeze(1);
    return input.dim() == 3 ? y : y.unflatten(1, input.sizes().slice(1, 2));
  }

  bool flips() const override { return true; }
  Tensor flip(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
              const Tensor& input, const Key& signs,
              const Pass&) const override {
    return flipped(weights, noise, input, /*channels=*/-1, signs);
  }

 private:
  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::linear(input, weight, bias);
  }

  Shape output_;
  std::int64_t in_;
  bool bias_;
};

NESTGRAD_REGISTER(LayerRegistry, "linear", Linear)

}  // namespace
}  // namespace nestgrad
