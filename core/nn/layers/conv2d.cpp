#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Cross-correlation of images with square kernels. weight: [out, in, kernel,
/// kernel], bias: [out], both U(+-1/sqrt(in kernel^2)) at the start.
class Conv2d : public Layer {
 public:
  static Schema schema() {
    return Schema("A convolution of images with square kernels.")
        .integer("out", kRequired, "Number of output channels.", at_least(1))
        .integer("kernel", 3, "Side of the kernels, in pixels.", at_least(1))
        .integer("stride", 1,
                 "Step between two positions of a kernel, in pixels.",
                 at_least(1))
        .integer("padding", 0, "Zeros put around the image, in pixels.",
                 at_least(0))
        .boolean("bias", true, "Whether each output channel has a constant.");
  }

  Conv2d(const Config& config, const Shape& input)
      : kernel_{config.integer("kernel"), config.integer("stride"),
                config.integer("padding")},
        bias_(config.boolean("bias")),
        output_(kernel_.moved_over(config, input)),
        in_(input[0]) {
    output_[0] = config.integer("out");
  }

  Shape output_shape() const override { return output_; }
  std::int64_t convolved() const override { return numel(output_); }

  ParameterSet initial_weights(const Key& key) const override {
    const std::int64_t out = output_[0], kernel = kernel_.side;
    const double bound = 1 / std::sqrt(in_ * kernel * kernel);
    ParameterSet weights;
    insert_uniform(weights, key, "weight", {out, in_, kernel, kernel}, bound);
    if (bias_) {
      insert_uniform(weights, key, "bias", {out}, bound);
    }
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    return weights.convolution(x, {kernel_.stride, kernel_.padding});
  }

 private:
  SquareKernel kernel_;
  bool bias_;
  Shape output_;
  std::int64_t in_;
};

NESTGRAD_REGISTER(LayerRegistry, "conv2d", Conv2d)

}  // namespace
}  // namespace nestgrad
