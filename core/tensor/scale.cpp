#include "core/tensor/scale.h"

#include <ATen/ATen.h>

namespace nestgrad {

Scale Scale::pow(double exponent) const {
  return map([&](const Tensor& t) { return t.pow(exponent); });
}

Scale operator-(double a, const Scale& s) {
  return s.map([&](const Tensor& t) { return a - t; });
}

Scale operator*(const Scale& a, const Scale& b) {
  const std::size_t n = std::max(a.factors_.size(), b.factors_.size());
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(a[i] * b[i]);
  return Scale(std::move(out));
}

ParameterSet operator*(const Scale& s, const ParameterSet& a) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    out.push_back(s[i] * a.tensors()[i]);
  }
  return a.with(std::move(out));
}

namespace {

/// a + sign s b.
ParameterSet sum(const ParameterSet& a, const ParameterSet& b, const Scale& s,
                 double sign) {
  // The same kernels with and without a tape, so that results are equal bit by
  // bit.
  a.require_alike(b);
  std::vector<Tensor> out;
  out.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Tensor &x = a.tensors()[i], &y = b.tensors()[i];
    // addcmul needs one pass, which is faster for many numbers.
    out.push_back(s[i].dim() == 0 ? at::add(x, s[i] * y, sign)
                                  : at::addcmul(x, s[i], y, sign));
  }
  return a.with(std::move(out));
}

}  // namespace

ParameterSet add(const ParameterSet& a, const Scale& s, const ParameterSet& b) {
  return sum(a, b, s, 1);
}

ParameterSet subtract(const ParameterSet& a, const Scale& s,
                      const ParameterSet& b) {
  return sum(a, b, s, -1);
}

}  // namespace nestgrad
