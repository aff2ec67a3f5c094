#pragma once

#include <ATen/core/Tensor.h>

namespace nestgrad {

using at::Tensor;

/// Kernel ridge regression: what a linear last layer without bias answers after
/// it has been trained on m examples to its end, with a little weight decay, in
/// closed form,
///
///   y(x) = phi(x) phi_s' (phi_s phi_s' + lambda tr(phi_s phi_s') / m I)^-1 Y_s
///
/// (Zhou, Nezhadarya and Ba 2022, "Dataset distillation using neural feature
/// regression"). `features`: phi(x) of n examples, [n, features]; `learned`:
/// phi_s, [m, features]; `targets`: Y_s, [m, outputs]. The result is [n,
/// outputs], on the tape of all three; the system is solved in double
/// precision. NaN where the matrix is not positive definite.
Tensor kernel_ridge(const Tensor& features, const Tensor& learned,
                    const Tensor& targets, double lambda);

}  // namespace nestgrad
