#include "core/nn/weight_forms.h"

#include <ATen/ATen.h>

#include "core/platform/batched_product.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

Tensor convolved(const Tensor& x, const Tensor& w, const Tensor& b,
                 const ConvolutionOptions& options, std::int64_t groups = 1) {
  const std::int64_t stride = options.stride, padding = options.padding;
  switch (w.dim()) {
    case 3:
      return at::conv1d(x, w, b, stride, padding, /*dilation=*/1, groups);
    case 4:
      return at::conv2d(x, w, b, stride, padding, /*dilation=*/1, groups);
    case 5:
      return at::conv3d(x, w, b, stride, padding, /*dilation=*/1, groups);
    default:
      throw Error("a convolution needs kernels of 1, 2 or 3 axes");
  }
}

/// The sizes of the axes from `first` to `last`, counted from the start.
at::IntArrayRef sizes_of(const Tensor& x, std::int64_t first,
                         std::int64_t last) {
  return x.sizes().slice(static_cast<std::size_t>(first),
                         static_cast<std::size_t>(last - first));
}

}  // namespace

// --- shared ------------------------------------------------------------------

Tensor SharedWeights::bias(std::size_t b) const {
  return b == kNone ? Tensor() : tensors_[b];
}

Tensor SharedWeights::linear(const Tensor& x, std::size_t w,
                             std::size_t b) const {
  return at::linear(x, tensors_[w], bias(b));
}

Tensor SharedWeights::convolution(const Tensor& x,
                                  const ConvolutionOptions& options,
                                  std::size_t w, std::size_t b) const {
  // More axes if x differs between particles, whose difference of weights is
  // shared; see RowWiseWeights.
  const std::int64_t batch_axes = x.dim() - tensors_[w].dim() + 1;
  if (batch_axes == 1) return convolved(x, tensors_[w], bias(b), options);
  return convolved(x.flatten(0, batch_axes - 1), tensors_[w], bias(b), options)
      .unflatten(0, sizes_of(x, 0, batch_axes));
}

Tensor SharedWeights::lookup(const Tensor& tokens, std::size_t w) const {
  return at::embedding(tensors_[w], tokens);
}

// --- particles ---------------------------------------------------------------

Tensor ParticleWeights::linear(const Tensor& x, std::size_t w,
                               std::size_t b) const {
  const bool vectors = x.dim() == 3;
  Tensor y = batched_product(vectors ? x : x.flatten(1, -2),
                             tensors_[w].transpose(1, 2));
  if (b != kNone) y = y + tensors_[b].unsqueeze(1);
  return vectors ? y : y.unflatten(1, sizes_of(x, 1, x.dim() - 1));
}

/// One convolution in groups, a group per particle.
Tensor ParticleWeights::convolution(const Tensor& x,
                                    const ConvolutionOptions& options,
                                    std::size_t w, std::size_t b) const {
  const bool equal = x.stride(0) == 0;
  // [examples, particles * in, space...]
  const Tensor channels =
      equal ? x.select(0, 0) : x.movedim(0, 1).flatten(1, 2);
  const Tensor y = convolved(channels, tensors_[w].flatten(0, 1),
                             b == kNone ? Tensor() : tensors_[b].flatten(),
                             options, equal ? 1 : particles_);
  return y.unflatten(1, {particles_, -1}).movedim(1, 0);
}

/// One table, the rows of all particles one after another.
Tensor ParticleWeights::lookup(const Tensor& tokens, std::size_t w) const {
  const Tensor& table = tensors_[w];
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(tokens.dim()), 1);
  sizes[0] = particles_;
  const Tensor particle = at::arange(particles_, tokens.options()).view(sizes);
  return at::embedding(table.flatten(0, 1), tokens + table.size(1) * particle);
}

Tensor ParticleWeights::tensor(std::size_t w) const {
  return tensors_[w].unsqueeze(1);
}

Tensor ParticleWeights::like(std::size_t w) const {
  return tensors_[w].select(0, 0);
}

}  // namespace nestgrad
