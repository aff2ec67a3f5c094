#pragma once

#include <string>

#include "core/nn/model.h"

namespace nestgrad {

/// "[3, 32, 32]", as messages spell a shape.
std::string to_string(const Shape& shape);

/// The product of the sizes: how many numbers an example has.
std::int64_t numel(const Shape& shape);

/// Throws a ConfigError that points at the type of the layer:
/// "expects images [channels, height, width], but its input is [784]".
[[noreturn]] void refuse_input(const Config& config, const std::string& expects,
                               const Shape& met);

/// Throws a ConfigError unless `shape` is [channels, height, width].
void require_images(const Config& config, const Shape& shape);

/// A square window that slides over images.
struct Window {
  std::int64_t kernel;
  std::int64_t stride;
  std::int64_t padding;

  /// The shape of the images [channels, height, width] that it leaves: along
  /// each side floor((size + 2 padding - kernel) / stride) + 1. Throws a
  /// ConfigError that points at "kernel" if it does not fit even once.
  Shape slide(const Config& config, const Shape& images) const;
};

/// A layer that changes numbers but no sizes.
class SameShape : public Layer {
 public:
  explicit SameShape(Shape shape) : shape_(std::move(shape)) {}
  Shape output_shape() const override { return shape_; }

 private:
  Shape shape_;
};

}  // namespace nestgrad
