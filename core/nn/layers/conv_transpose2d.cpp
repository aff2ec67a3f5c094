#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/nn/batch.h"
#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// The transpose of conv2d with the same kernel, stride and padding, which
/// enlarges images (Zeiler et al. 2010, "Deconvolutional networks"):
///
///   size -> (size - 1) stride - 2 padding + kernel + output_padding
///
/// It is computed as a convolution of the images with stride - 1 zeros between
/// their pixels. So it needs no operation of Weights besides convolution(), and
/// an example that has weights of its own needs no memory for them. With stride
/// 2, the zeros make it take 2.3 times as long as LibTorch's own operation,
/// which is used if the whole batch has the same weights.
///
/// weight: [out, in, kernel, kernel], the kernels of this convolution.
/// torch.nn.ConvTranspose2d has weight.transpose(0, 1).flip(2, 3). bias: [out].
/// Both are U(+-1/sqrt(out kernel^2)) at the start, as in PyTorch.
class ConvTranspose2d : public Layer {
 public:
  static Schema schema() {
    return Schema(
               "The transpose of conv2d: enlarges images by about \"stride\".")
        .integer("out", kRequired, "Number of output channels.", at_least(1))
        .integer("kernel", 3, "Side of the kernels, in pixels.", at_least(1))
        .integer("stride", 1, "Step of the kernel in the output, in pixels.",
                 at_least(1))
        .integer("padding", 0,
                 "Pixels that are cut off around the output; the padding of "
                 "the conv2d that it transposes.",
                 at_least(0))
        .integer("output_padding", 0,
                 "Pixels added at the right and lower edge: conv2d with a "
                 "stride gives several sizes the same output. Less than the "
                 "stride.",
                 at_least(0))
        .boolean("bias", true, "Whether each output channel has a constant.");
  }

  ConvTranspose2d(const Config& config, const Shape& input)
      : kernel_(config.integer("kernel")),
        stride_(config.integer("stride")),
        padding_(config.integer("padding")),
        output_padding_(config.integer("output_padding")),
        bias_(config.boolean("bias")) {
    require_images(config, input);
    if (output_padding_ >= stride_) {
      config.fail("output_padding",
                  fmt::format("must be less than the stride, {}, but is {}",
                              stride_, output_padding_));
    }
    in_ = input[0];
    output_ = {config.integer("out"), enlarged(input[1]), enlarged(input[2])};
    if (output_[1] < 1 || output_[2] < 1) {
      config.fail("padding",
                  fmt::format("cuts off all of the output, which would be {}",
                              to_string(output_)));
    }
  }

  Shape output_shape() const override { return output_; }
  std::int64_t convolved() const override { return numel(output_); }

  ParameterSet initial_weights(const Key& key) const override {
    const std::int64_t out = output_[0];
    const double bound =
        1 / std::sqrt(static_cast<double>(out * kernel_ * kernel_));
    ParameterSet weights;
    insert_uniform(weights, key, "weight", {out, in_, kernel_, kernel_}, bound);
    if (bias_) {
      insert_uniform(weights, key, "bias", {out}, bound);
    }
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    if (weights.shared()) {
      return at::conv_transpose2d(
          x, weights.tensor(0).transpose(0, 1).flip({-2, -1}),
          bias_ ? weights.tensor(1) : Tensor(), stride_, padding_,
          output_padding_);
    }
    const Tensor spread = as_one_batch(
        x, 3, [&](const Tensor& images) { return with_zeros(images); });
    return weights.convolution(spread, {});
  }

 private:
  std::int64_t enlarged(std::int64_t size) const {
    return (size - 1) * stride_ - 2 * padding_ + kernel_ + output_padding_;
  }

  /// stride - 1 zeros between neighbours, and as many around them as give a
  /// convolution the size of the output. A negative number cuts off.
  Tensor with_zeros(const Tensor& images) const {
    const std::int64_t between = stride_ - 1;
    const std::int64_t before = kernel_ - 1 - padding_;
    const std::int64_t after = before + output_padding_ - between;
    const Tensor apart = at::constant_pad_nd(images.unsqueeze(-1).unsqueeze(-3),
                                             {0, between, 0, 0, 0, between});
    return at::constant_pad_nd(apart.flatten(-4, -3).flatten(-2),
                               {before, after, before, after});
  }

  std::int64_t kernel_, stride_, padding_, output_padding_, in_;
  bool bias_;
  Shape output_;
};

NESTGRAD_REGISTER(LayerRegistry, "conv_transpose2d", ConvTranspose2d)

}  // namespace
}  // namespace nestgrad
