#include "core/nn/layers/shapes.h"

#include <fmt/format.h>

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

Shape Window::slide(const Config& config, const Shape& images) const {
  require_images(config, images);
  const std::int64_t height = images[1] + 2 * padding;
  const std::int64_t width = images[2] + 2 * padding;
  if (height < kernel || width < kernel) {
    config.fail("kernel",
                fmt::format("a window of {0} x {0} does not fit into images of "
                            "{1} x {2} (padding included)",
                            kernel, height, width));
  }
  return {images[0], (height - kernel) / stride + 1,
          (width - kernel) / stride + 1};
}

}  // namespace nestgrad
