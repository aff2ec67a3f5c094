#include "core/nn/layers/shapes.h"

#include <fmt/ranges.h>

#include <functional>
#include <numeric>

namespace nestgrad {

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::int64_t numel(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1},
                         std::multiplies<>());
}

void refuse_input(const Config& config, const std::string& expects,
                  const Shape& met) {
  config.fail("type", fmt::format("{} expects {}, but its input is {}",
                                  config.type(), expects, to_string(met)));
}

void require_images(const Config& config, const Shape& shape) {
  if (shape.size() != 3) {
    refuse_input(config, "images [channels, height, width]", shape);
  }
}

Shape SquareKernel::moved_over(const Config& config,
                               const Shape& images) const {
  require_images(config, images);
  const std::int64_t height = images[1] + 2 * padding;
  const std::int64_t width = images[2] + 2 * padding;
  if (height < side || width < side) {
    config.fail(
        "kernel",
        fmt::format("a kernel of {0} x {0} is larger than the images of "
                    "{1} x {2} pixels, padding included",
                    side, height, width));
  }
  return {images[0], (height - side) / stride + 1, (width - side) / stride + 1};
}

}  // namespace nestgrad
