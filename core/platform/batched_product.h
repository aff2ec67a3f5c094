#pragma once

#include <ATen/Tensor.h>

namespace nestgrad {

using at::Tensor;

/// The products A_i B_i, [n, rows, columns], of A [n, rows, inner] and B [n,
/// inner, columns]. Differentiable any number of times.
///
/// Equal to at::bmm(). Without MKL, at::bmm() runs several operators per pair,
/// which for small matrices takes six times as long as the product.
Tensor batched_product(const Tensor& a, const Tensor& b);

}  // namespace nestgrad
