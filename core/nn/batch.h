#pragma once

#include <cstdint>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

// The axes of a batch, [batch..., shape of one example]; see Weights.

/// The input of a network, [examples, ...], as a batch for weights of this many
/// particles: equal for all of them, without memory of its own.
Tensor with_batch_axes(const Tensor& input, std::int64_t particles);

/// `numbers`, [batch..., channels] or with only some of the axes of the batch,
/// shaped so that they broadcast against y. `axis`, counted from the end, is
/// the axis of the channels in y.
Tensor along_channels(const Tensor& numbers, const Tensor& y, std::int64_t axis,
                      std::int64_t batch_axes);

/// f(x) for an f that takes a batch with one axis only, like most of LibTorch's
/// operators for images. All axes of x before the last `axes` become one. What
/// is equal for all particles is computed once.
template <class F>
Tensor as_one_batch(const Tensor& x, std::int64_t axes, F&& f) {
  const std::int64_t batch_axes = x.dim() - axes;
  if (batch_axes == 1) return f(x);
  if (x.stride(0) == 0) {
    const Tensor y = as_one_batch(x.select(0, 0), axes, f);
    return with_batch_axes(y, x.size(0));
  }
  return f(x.flatten(0, batch_axes - 1))
      .unflatten(0, x.sizes().slice(0, static_cast<std::size_t>(batch_axes)));
}

}  // namespace nestgrad
