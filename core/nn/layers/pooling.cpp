#include <ATen/ATen.h>

#include "core/nn/batch.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// One number for each position of a square kernel and each channel. Pixels at
/// the right and lower edge that the kernel does not reach are left out.
class Pool2d : public Layer {
 public:
  Pool2d(const Config& config, const Shape& input)
      : kernel_{config.integer("kernel"),
                config.integer(config.has("stride") ? "stride" : "kernel"), 0},
        output_(kernel_.moved_over(config, input)) {}

  Shape output_shape() const override { return output_; }

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const final {
    return as_one_batch(x, 3, [&](const Tensor& t) { return pooled(t); });
  }

 protected:
  virtual Tensor pooled(const Tensor& images) const = 0;

  static Schema pool_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .integer("kernel", 2, "Side of the kernel, in pixels.", at_least(1))
        .integer(
            "stride", kAbsent,
            "Step between two positions of the kernel, in pixels; its side "
            "if left out.",
            at_least(1));
  }

  SquareKernel kernel_;

 private:
  Shape output_;
};

class MaxPool2d : public Pool2d {
 public:
  using Pool2d::Pool2d;

  static Schema schema() {
    return pool_schema(
        "The largest number under each position of a square kernel.");
  }

 private:
  Tensor pooled(const Tensor& images) const override {
    return at::max_pool2d(images, kernel_.side, kernel_.stride);
  }
};

class AvgPool2d : public Pool2d {
 public:
  using Pool2d::Pool2d;

  static Schema schema() {
    return pool_schema("The mean under each position of a square kernel.");
  }

 private:
  Tensor pooled(const Tensor& images) const override {
    return at::avg_pool2d(images, kernel_.side, kernel_.stride);
  }
};

/// [n, channels, height, width] -> [n, channels].
class GlobalAvgPool2d : public Layer {
 public:
  static Schema schema() {
    return Schema("The mean of every channel of an image.");
  }

  GlobalAvgPool2d(const Config& config, const Shape& input) {
    require_images(config, input);
    output_ = {input[0]};
  }

  Shape output_shape() const override { return output_; }

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const override {
    return x.mean({-2, -1});
  }

 private:
  Shape output_;
};

NESTGRAD_REGISTER(LayerRegistry, "max_pool2d", MaxPool2d)
NESTGRAD_REGISTER(LayerRegistry, "avg_pool2d", AvgPool2d)
NESTGRAD_REGISTER(LayerRegistry, "global_avg_pool2d", GlobalAvgPool2d)

}  // namespace
}  // namespace nestgrad
