#pragma once

#include "core/tensor/parameter_set.h"

namespace nestgrad {

// Operators for layers, in the place of LibTorch's where those are slow or lack
// a derivative. Both are differentiable any number of times, and give dual
// numbers for dual numbers.

/// A B, of the matrices in the last two axes. The axes before them are equal.
Tensor matrix_products(const Tensor& a, const Tensor& b);

/// exp(x) / sum exp(x) along the last axis.
Tensor softmax(const Tensor& x);

}  // namespace nestgrad
