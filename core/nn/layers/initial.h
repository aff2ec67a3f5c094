#pragma once

#include <ATen/ATen.h>

#include <string>

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Numbers uniform in [-bound, bound), float32 on the CPU. With
/// bound = 1 / sqrt(fan_in) this is how PyTorch starts linear and convolutional
/// layers.
inline Tensor symmetric_uniform(const Key& key, at::IntArrayRef sizes,
                                double bound) {
  const Tensor like = at::empty(sizes, at::kFloat);
  return key.uniform(like).mul_(2).sub_(1).mul_(bound);
}

/// Appends such numbers to the weights of a layer. `key` is that of the layer.
inline void insert_uniform(ParameterSet& weights, const Key& key,
                           const std::string& name, at::IntArrayRef sizes,
                           double bound) {
  weights.insert(name, symmetric_uniform(key.fold(name), sizes, bound));
}

}  // namespace nestgrad
