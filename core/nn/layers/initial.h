#pragma once

#include <ATen/ATen.h>

#include "core/tensor/key.h"

namespace nestgrad {

/// Numbers uniform in [-bound, bound), float32 on the CPU. With
/// bound = 1 / sqrt(fan_in) this is how PyTorch starts linear and convolutional
/// layers.
inline Tensor symmetric_uniform(const Key& key, at::IntArrayRef sizes,
                                double bound) {
  const Tensor like = at::empty(sizes, at::kFloat);
  return (2 * key.uniform(like) - 1) * bound;
}

}  // namespace nestgrad
