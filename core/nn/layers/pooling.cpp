#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Takes one number from every square window of every channel. Pixels at the
/// right and lower edge that do not fill a window are left out.
class Pool2d : public Layer {
 public:
  Pool2d(const Config& config, const Shape& input)
      : window_{config.integer("kernel"),
                config.integer(config.has("stride") ? "stride" : "kernel"), 0},
        output_(window_.slide(config, input)) {}

  Shape output_shape() const override { return output_; }

  Tensor apply_particles(at::ArrayRef<Tensor>, const Tensor& input,
                         const Pass& pass) const override {
    return apply_to_all(input, pass);
  }

 protected:
  static Schema pool_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .integer("kernel", 2, "Side of the windows, in pixels.", at_least(1))
        .integer("stride", kAbsent,
                 "Step between two windows, in pixels; as large as the kernel "
                 "if left out.",
                 at_least(1));
  }

  Window window_;

 private:
  Shape output_;
};

class MaxPool2d : public Pool2d {
 public:
  using Pool2d::Pool2d;

  static Schema schema() {
    return pool_schema("The largest number of every window of an image.");
  }

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass&) const override {
    return at::max_pool2d(input, window_.kernel, window_.stride);
  }
};

class AvgPool2d : public Pool2d {
 public:
  using Pool2d::Pool2d;

  static Schema schema() {
    return pool_schema("The mean of every window of an image.");
  }

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass&) const override {
    return at::avg_pool2d(input, window_.kernel, window_.stride);
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

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass&) const override {
    return input.mean({2, 3});
  }

  Tensor apply_particles(at::ArrayRef<Tensor>, const Tensor& input,
                         const Pass& pass) const override {
    return apply_to_all(input, pass);
  }

 private:
  Shape output_;
};

NESTGRAD_REGISTER(LayerRegistry, "max_pool2d", MaxPool2d)
NESTGRAD_REGISTER(LayerRegistry, "avg_pool2d", AvgPool2d)
NESTGRAD_REGISTER(LayerRegistry, "global_avg_pool2d", GlobalAvgPool2d)

}  // namespace
}  // namespace nestgrad
