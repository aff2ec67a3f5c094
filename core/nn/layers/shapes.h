#pragma once

#include <string>

#include "core/config/config.h"
#include "core/nn/layer.h"

namespace nestgrad {

/// A shape as messages write it: "[3, 32, 32]".
std::string to_string(const Shape& shape);

/// The product of the sizes: the number of numbers in one example.
std::int64_t numel(const Shape& shape);

/// Throws a ConfigError that points at the type of the layer:
/// "expects images [channels, height, width], but its input is [784]".
[[noreturn]] void refuse_input(const Config& config, const std::string& expects,
                               const Shape& met);

/// Throws a ConfigError unless `shape` is [channels, height, width].
void require_images(const Config& config, const Shape& shape);

/// A square kernel that moves over images.
struct SquareKernel {
  std::int64_t side;
  std::int64_t stride;
  std::int64_t padding;

  /// The shape that images [channels, height, width] have after it: for each
  /// side floor((size + 2 padding - side) / stride) + 1 positions of the
  /// kernel. Throws a ConfigError that points at "kernel" if the kernel is
  /// larger than the images.
  Shape moved_over(const Config& config, const Shape& images) const;
};

/// Base of the layers whose output has the shape of their input.
class SameShape : public Layer {
 public:
  explicit SameShape(Shape shape) : shape_(std::move(shape)) {}
  Shape output_shape() const override { return shape_; }

 private:
  Shape shape_;
};

}  // namespace nestgrad
