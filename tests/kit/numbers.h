#pragma once

#include <ATen/ATen.h>

#include <cstdlib>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// |a - b| / |b| of all numbers together (b is the reference).
inline double relative_error(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}
inline double relative_error(const ParameterSet& a, const ParameterSet& b) {
  return relative_error(a.flatten(), b.flatten());
}

/// Where tests compute: the environment's NESTGRAD_TEST_DEVICE, or the CPU.
inline at::Device test_device() {
  const char* const name = std::getenv("NESTGRAD_TEST_DEVICE");
  return at::Device(name == nullptr ? "cpu" : name);
}

inline at::TensorOptions float64() {
  return at::TensorOptions().dtype(at::kDouble).device(test_device());
}

/// df / dx by central differences, alike to `x`, whose numbers are in double
/// precision; `f` takes a set alike to `x` and returns a scalar tensor.
template <class F>
ParameterSet central_differences(const ParameterSet& x, F&& f,
                                 double step = 1e-5) {
  const Tensor base = x.flatten().detach();
  Tensor out = at::zeros_like(base);
  for (std::int64_t i = 0; i < base.numel(); ++i) {
    const auto moved = [&](double by) {
      Tensor flat = base.clone();
      flat[i] += by;
      return f(x.unflatten(flat)).template item<double>();
    };
    out[i] = (moved(step) - moved(-step)) / (2 * step);
  }
  return x.unflatten(out);
}

}  // namespace nestgrad
