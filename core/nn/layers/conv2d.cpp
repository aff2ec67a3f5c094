#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/row_wise.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Cross-correlation of images with square kernels. weight: [out, in, kernel,
/// kernel], bias: [out], both U(+-1/sqrt(in kernel^2)) at the start.
class Conv2d : public RowWise {
 public:
  static Schema schema() {
    return Schema("A convolution of images with square kernels.")
        .integer("out", kRequired, "Number of output channels.", at_least(1))
        .integer("kernel", 3, "Side of the kernels, in pixels.", at_least(1))
        .integer("stride", 1, "Step between two windows, in pixels.",
                 at_least(1))
        .integer("padding", 0, "Zeros put around the image, in pixels.",
                 at_least(0))
        .boolean("bias", true, "Whether each output channel has a constant.");
  }

  Conv2d(const Config& config, const Shape& input)
      : window_{config.integer("kernel"), config.integer("stride"),
                config.integer("padding")},
        bias_(config.boolean("bias")),
        output_(window_.slide(config, input)),
        in_(input[0]) {
    output_[0] = config.integer("out");
  }

  Shape output_shape() const override { return output_; }

  ParameterSet initial_weights(const Key& key) const override {
    const std::int64_t out = output_[0], kernel = window_.kernel;
    const double bound = 1 / std::sqrt(in_ * kernel * kernel);
    ParameterSet weights;
    weights.insert("weight",
                   symmetric_uniform(key.fold("weight"),
                                     {out, in_, kernel, kernel}, bound));
    if (bias_) {
      weights.insert("bias", symmetric_uniform(key.fold("bias"), {out}, bound));
    }
    return weights;
  }

  /// Channels of all particles beside one another, in groups.
  Tensor apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                         const Pass& pass) const override {
    const bool shared = input.stride(0) == 0;
    const Tensor x =
        shared ? input.select(0, 0) : input.movedim(0, 1).flatten(1, 2);
    const Tensor y = at::conv2d(x, weights[0].flatten(0, 1),
                                bias_ ? weights[1].flatten() : Tensor(),
                                window_.stride, window_.padding, /*dilation=*/1,
                                shared ? 1 : pass.particles);
    return y.unflatten(1, {pass.particles, -1}).movedim(1, 0);
  }

  bool flips() const override { return true; }
  Tensor flip(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
              const Tensor& input, const Key& signs,
              const Pass&) const override {
    return flipped(weights, noise, input, /*channels=*/1, signs);
  }

 private:
  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::conv2d(input, weight, bias, window_.stride, window_.padding);
  }

  Window window_;
  bool bias_;
  Shape output_;
  std::int64_t in_;
};

NESTGRAD_REGISTER(LayerRegistry, "conv2d", Conv2d)

}  // namespace
}  // namespace nestgrad
