#pragma once

#include <ATen/ATen.h>

#include "core/tensor/parameter_set.h"

namespace nestgrad::testing {

/// |a - b| / |b| of all numbers together (b is the reference).
inline double relative_error(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}
inline double relative_error(const ParameterSet& a, const ParameterSet& b) {
  return relative_error(a.flatten(), b.flatten());
}

/// Where the checks compute: the CPU, until judge_on() names another device.
at::Device judging_device();
void judge_on(at::Device device);

/// Numbers that implementations are judged with: double precision there.
inline at::TensorOptions float64() {
  return at::TensorOptions().dtype(at::kDouble).device(judging_device());
}

inline double as_double(double number) { return number; }
inline double as_double(const Tensor& scalar) { return scalar.item<double>(); }

/// df / dx by central differences, alike to `x`, whose numbers are in double
/// precision; `f` takes a set alike to `x` and returns a double or a scalar.
template <class F>
ParameterSet central_differences(const ParameterSet& x, F&& f,
                                 double step = 1e-5) {
  const Tensor base = x.flatten().detach();
  Tensor out = at::zeros_like(base);
  for (std::int64_t i = 0; i < base.numel(); ++i) {
    const auto moved = [&](double by) {
      Tensor flat = base.clone();
      flat[i] += by;
      return as_double(f(x.unflatten(flat)));
    };
    out[i] = (moved(step) - moved(-step)) / (2 * step);
  }
  return x.unflatten(out);
}

}  // namespace nestgrad::testing
