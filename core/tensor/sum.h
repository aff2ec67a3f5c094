#pragma once

#include <ATen/core/Tensor.h>

namespace nestgrad {

using at::Tensor;

/// sum <- sum + term, where an undefined `sum` is an empty one: it becomes
/// `term` itself, whatever its shape and type.
inline void add_to(Tensor& sum, const Tensor& term) {
  sum = sum.defined() ? sum + term : term;
}

}  // namespace nestgrad
