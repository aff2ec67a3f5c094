#include "core/nn/weights.h"

#include "core/nn/batch.h"
#include "core/platform/error.h"

namespace nestgrad {

Tensor Weights::scale_and_shift(const Tensor& x, std::int64_t axis) const {
  const auto aligned = [&](std::size_t w) {
    return along_channels(tensor(w), x, axis, batch_axes());
  };
  return aligned(0) * x + aligned(1);
}

WeightSlice Weights::slice(std::size_t first, std::size_t count) const {
  return {*this, first, count};
}

WeightSlice::WeightSlice(const Weights& all, std::size_t first,
                         std::size_t count)
    : all_(all), first_(first), count_(count) {
  require(first + count <= all.size(),
          "weight tensors {} to {} are asked for, but there are only {}", first,
          first + count, all.size());
}

std::size_t WeightSlice::position(std::size_t w) const {
  return w == kNone ? kNone : first_ + w;
}

Tensor WeightSlice::linear(const Tensor& x, std::size_t w,
                           std::size_t b) const {
  return all_.linear(x, position(w), position(b));
}

Tensor WeightSlice::convolution(const Tensor& x,
                                const ConvolutionOptions& options,
                                std::size_t w, std::size_t b) const {
  return all_.convolution(x, options, position(w), position(b));
}

Tensor WeightSlice::lookup(const Tensor& tokens, std::size_t w) const {
  return all_.lookup(tokens, position(w));
}

Tensor WeightSlice::tensor(std::size_t w) const {
  return all_.tensor(position(w));
}

Tensor WeightSlice::like(std::size_t w) const { return all_.like(position(w)); }

}  // namespace nestgrad
