#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// The numbers of each example in another shape.
class Reshaped : public Layer {
 public:
  Shape output_shape() const override { return output_; }

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const override {
    // flatten() would keep unusual strides of axes of one, with which products
    // are rounded differently.
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.resize(sizes.size() - axes_);
    sizes.insert(sizes.end(), output_.begin(), output_.end());
    return x.reshape(sizes);
  }

 protected:
  Reshaped(const Shape& input, Shape output)
      : axes_(input.size()), output_(std::move(output)) {}

 private:
  std::size_t axes_;
  Shape output_;
};

class Flatten : public Reshaped {
 public:
  static Schema schema() {
    return Schema("Every example as one vector, whatever shape it has.");
  }

  Flatten(const Config&, const Shape& input)
      : Reshaped(input, {numel(input)}) {}
};

class Reshape : public Reshaped {
 public:
  static Schema schema() {
    return Schema("The numbers of every example in another shape.")
        .integers("shape", kRequired,
                  "The shape, without the batch: [channels, height, width] "
                  "for images, [time, features] for sequences.",
                  at_least(1));
  }

  Reshape(const Config& config, const Shape& input)
      : Reshaped(input, config.integers("shape")) {
    if (numel(output_shape()) != numel(input)) {
      config.fail("shape",
                  fmt::format("must have as many numbers as the "
                              "input, {}, but is {}",
                              to_string(input), to_string(output_shape())));
    }
  }
};

NESTGRAD_REGISTER(LayerRegistry, "flatten", Flatten)
NESTGRAD_REGISTER(LayerRegistry, "reshape", Reshape)

}  // namespace
}  // namespace nestgrad
