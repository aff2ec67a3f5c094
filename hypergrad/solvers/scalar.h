#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/tensor/number.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

// What is done with a Number stays where the number is.

/// 1 / x, or `other` unless x is positive.
inline Number reciprocal(const Number& x, double other = 0) {
  if (const Tensor t = x.waiting(); t.defined()) {
    return Number(at::where(t > 0, t.reciprocal(), at::full_like(t, other)));
  }
  return x > 0 ? 1 / x : other;
}

inline ParameterSet scaled(const Number& factor, const ParameterSet& set) {
  const Tensor t = factor.waiting();
  return t.defined() ? t * set : static_cast<double>(factor) * set;
}

/// y - factor x.
inline ParameterSet subtract(const ParameterSet& y, const Number& factor,
                             const ParameterSet& x) {
  const Tensor t = factor.waiting();
  return t.defined() ? add(y, -t, x) : add(y, -static_cast<double>(factor), x);
}

// The operations of an iterative method on one number. A Scalar is a double or,
// on a device other than the CPU, a tensor with one number: to read it would be
// to wait for the device. There a method cannot leave its loop when it ends. It
// goes on, and either() sees to it that nothing changes any more.

template <class Scalar>
Scalar inner(const ParameterSet& a, const ParameterSet& b) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return dot(a, b).item<double>();
  } else {
    return dot(a, b);
  }
}

template <class Scalar>
Scalar length_of(const ParameterSet& a) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return length(a);
  } else {
    return norm(a);
  }
}

/// `value` where `like` is.
inline double constant(double value, double) { return value; }
inline Tensor constant(double value, const Tensor& like) {
  return at::full_like(like, value);
}

/// `first` ? a : b
inline double either(bool first, double a, double b) { return first ? a : b; }
inline Tensor either(const Tensor& first, const Tensor& a, const Tensor& b) {
  return at::where(first, a, b);
}

/// `first` ? a : zeros, which are written on a device only: there it does not
/// matter what is in `a`.
inline const ParameterSet& masked(bool, const ParameterSet& a) { return a; }
inline ParameterSet masked(const Tensor& first, const ParameterSet& a) {
  return a.map(
      [&](const Tensor& t) { return at::where(first, t, at::zeros_like(t)); });
}

inline double root(double a) { return std::sqrt(a); }
inline Tensor root(const Tensor& a) { return a.sqrt(); }

inline double larger(double a, double b) { return std::max(a, b); }
inline Tensor larger(const Tensor& a, const Tensor& b) {
  return at::maximum(a, b);
}

inline double magnitude(double a) { return std::abs(a); }
inline Tensor magnitude(const Tensor& a) { return a.abs(); }

inline double hypotenuse(double a, double b) { return std::hypot(a, b); }
inline double hypotenuse(double a, double b, double c) {
  return std::hypot(a, b, c);
}
inline Tensor hypotenuse(const Tensor& a, const Tensor& b) {
  return at::hypot(a, b);
}
inline Tensor hypotenuse(const Tensor& a, const Tensor& b, const Tensor& c) {
  return at::hypot(at::hypot(a, b), c);
}

inline bool is_finite(double a) { return std::isfinite(a); }
inline Tensor is_finite(const Tensor& a) { return a.isfinite(); }

/// Whether it is known that a method is not `going` any more.
inline bool has_ended(bool going) { return !going; }
inline bool has_ended(const Tensor&) { return false; }

/// The same after k iterations. A device is asked now and then: to wait for it
/// costs less than many products for nothing.
inline bool has_ended(bool going, std::int64_t) { return !going; }
inline bool has_ended(const Tensor& going, std::int64_t k) {
  constexpr std::int64_t kUnasked = 32;
  return k > 0 && k % kUnasked == 0 && !going.item<bool>();
}

/// method(enough) with `enough` as a double or, if the numbers of `r` are on
/// another device than the CPU, as a tensor there.
template <class Method>
auto with_scalar(const ParameterSet& r, const Number& enough, Method&& method) {
  const Tensor& like = r.tensors().front();
  if (like.is_cpu()) return method(static_cast<double>(enough));
  const Tensor there = enough.waiting();
  return method(there.defined() ? there
                                : at::full({}, static_cast<double>(enough),
                                           like.options()));
}

}  // namespace nestgrad
