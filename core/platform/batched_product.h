#pragma once

#include <ATen/Tensor.h>

namespace nestgrad {

using at::Tensor;

/// A_i B_i for each i, [n, rows, columns], of A [n, rows, inner] and
/// B [n, inner, columns]; differentiable as often as one likes.
///
/// The same as at::bmm(), which spends several operators on each pair where
/// there is no MKL: six times what the product of two small matrices takes.
Tensor batched_product(const Tensor& a, const Tensor& b);

}  // namespace nestgrad
