#include "hypergrad/solvers/stability.h"

#include <algorithm>

namespace nestgrad {

double movement_by_errors(const InverseHessian& solver, const LinearMap& a,
                          const ParameterSet& b, const ParameterSet* guess,
                          const Key& key, const ParameterSet& x) {
  double moved = 0;
  for (const double error : {1e-14, 1e-12, 1e-10, 1e-8, 1e-6}) {
    std::uint64_t product = 0;
    const LinearMap inexact = [&](const ParameterSet& v) {
      const ParameterSet exact = a(v);
      const Key noise = key.fold("inexact").fold(product++);
      return exact + error * (noise.normal(exact) * exact);
    };
    const Solution other = solver.solve(inexact, b, guess, key);
    if (other.status == Status::kDiverged) continue;
    moved = std::max(moved, length(other.x - x));
  }
  return moved;
}

}  // namespace nestgrad
