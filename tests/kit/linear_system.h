#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "core/tensor/key.h"
#include "hypergrad/solvers/inverse_hessian.h"
#include "numbers.h"

namespace nestgrad::testing {

/// The system A x = b with an explicit symmetric matrix. Counts the products
/// with A that a solver asks for.
struct LinearSystem {
  Tensor a;
  ParameterSet b;
  mutable std::int64_t calls = 0;

  LinearMap map() const {
    return [this](const ParameterSet& v) {
      ++calls;
      return v.unflatten(at::mv(a, v.flatten()));
    };
  }

  ParameterSet exact() const {
    return b.unflatten(at::linalg_solve(a, b.flatten()));
  }

  /// |A x - b| / |b|
  double residual(const ParameterSet& x) const {
    const Tensor flat = b.flatten();
    return ((at::mv(a, x.flatten()) - flat).norm() / flat.norm())
        .item<double>();
  }
};

/// A system whose matrix has these eigenvalues, in double precision.
inline LinearSystem system_with(const std::vector<double>& eigenvalues) {
  const auto n = static_cast<std::int64_t>(eigenvalues.size());
  const Tensor random = Key(3).normal(at::empty({n, n}, float64()));
  const Tensor q = std::get<0>(at::linalg_qr(random));
  const Tensor a = at::mm(q * at::tensor(eigenvalues, float64()), q.t());
  const Tensor b = Key(4).normal(at::empty({n}, float64()));
  // Two tensors, so that a set is more than a vector.
  if (n == 1) return {a, {{"w", b}}};
  return {(a + a.t()) / 2,
          {{"u", b.narrow(0, 0, 1)}, {"w", b.narrow(0, 1, n - 1)}}};
}

/// |a - b| / |b|, and |a| if b is zero.
inline double distance(const ParameterSet& a, const ParameterSet& b) {
  const double size = norm(b).item<double>();
  const double error = norm(a - b).item<double>();
  return size > 0 ? error / size : error;
}

}  // namespace nestgrad::testing
