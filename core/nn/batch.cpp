#include "core/nn/batch.h"

#include "core/particles.h"

namespace nestgrad {

Tensor with_batch_axes(const Tensor& input, std::int64_t particles) {
  return particles > 0 ? repeated(input, particles) : input;
}

Tensor along_channels(const Tensor& numbers, const Tensor& y, std::int64_t axis,
                      std::int64_t batch_axes) {
  std::vector<std::int64_t> sizes = numbers.sizes().vec();
  const std::int64_t between =
      numbers.dim() > 1 ? y.dim() + axis - batch_axes : 0;
  sizes.insert(sizes.end() - 1, static_cast<std::size_t>(between), 1);
  sizes.resize(sizes.size() + static_cast<std::size_t>(-axis - 1), 1);
  return numbers.view(sizes);
}

}  // namespace nestgrad
