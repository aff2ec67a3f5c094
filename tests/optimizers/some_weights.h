#pragma once

#include "tests/support/support.h"

namespace nestgrad {

/// Weights of several shapes, a scalar tensor among them.
inline ParameterSet weights() {
  const Tensor flat = (at::arange(6, float64()) * 1.3).cos();
  return {{"w", flat.narrow(0, 0, 4).view({2, 2})},
          {"b", flat.narrow(0, 4, 1)},
          {"s", flat[5].clone()}};
}

/// Number k of several gradients for them.
inline ParameterSet some_gradient(int k) {
  return weights().map([k](const Tensor& t) {
    return (5 * t + k).sin() + 0.5;  // no entry near zero, norms above 1
  });
}

}  // namespace nestgrad
