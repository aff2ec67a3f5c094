#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/batch.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// One number for each position of a square kernel and each channel. Pixels at
/// the right and lower edge that the kernel does not reach are left out.
class Pool2d : public Layer {
 public:
  Pool2d(const Config& config, const Shape& input, std::int64_t padding = 0)
      : kernel_{config.integer("kernel"),
                config.integer(config.has("stride") ? "stride" : "kernel"),
                padding},
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
  static Schema schema() {
    return pool_schema(
               "The largest number under each position of a square kernel.")
        .integer("padding", 0,
                 "Pixels around the image that are never the largest; at most "
                 "half of the kernel.",
                 at_least(0));
  }

  MaxPool2d(const Config& config, const Shape& input)
      : Pool2d(config, input, config.integer("padding")) {
    if (2 * kernel_.padding > kernel_.side) {
      config.fail("padding", fmt::format("must be at most half of the kernel, "
                                         "{}, but is {}",
                                         kernel_.side / 2, kernel_.padding));
    }
  }

 private:
  Tensor pooled(const Tensor& images) const override {
    return at::max_pool2d(images, kernel_.side, kernel_.stride,
                          kernel_.padding);
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

/// [n, time, features] -> [n, features].
class TimePool : public Layer {
 public:
  static Schema schema() {
    return Schema("One vector for a sequence.")
        .choice("take", "mean", "The mean of all steps, or the last step.",
                {"mean", "last"});
  }

  TimePool(const Config& config, const Shape& input)
      : mean_(config.text("take") == "mean") {
    if (input.size() != 2) {
      refuse_input(config, "sequences [time, features]", input);
    }
    output_ = {input[1]};
  }

  Shape output_shape() const override { return output_; }

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const override {
    return mean_ ? x.mean(-2) : x.select(-2, -1);
  }

 private:
  bool mean_;
  Shape output_;
};

NESTGRAD_REGISTER(LayerRegistry, "max_pool2d", MaxPool2d)
NESTGRAD_REGISTER(LayerRegistry, "avg_pool2d", AvgPool2d)
NESTGRAD_REGISTER(LayerRegistry, "global_avg_pool2d", GlobalAvgPool2d)
NESTGRAD_REGISTER(LayerRegistry, "time_pool", TimePool)

}  // namespace
}  // namespace nestgrad
