#pragma once

#include "core/tensor/parameter_set.h"

namespace nestgrad {

// Operators for layers, in the place of LibTorch's where those are slow or lack
// a derivative. All are differentiable any number of times, and give dual
// numbers for dual numbers.

/// A B, of the matrices in the last two axes. The axes before them are equal.
Tensor matrix_products(const Tensor& a, const Tensor& b);

/// exp(x) / sum exp(x) along the last axis, of at_least_float32(x).
Tensor softmax(const Tensor& x);

/// x, in float32 if it has less precision: the 8 significant bits of bfloat16
/// are too few for means, variances and probabilities.
Tensor at_least_float32(const Tensor& x);

}  // namespace nestgrad
