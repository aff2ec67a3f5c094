#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// A solver that code asks for, without a configuration.
struct NamedSolver {
  std::string name;  ///< in a configuration
  std::unique_ptr<InverseHessian> solver;
};

/// Writes the matrix out: for small systems.
NamedSolver dense_solver();

// These two iterate until the relative residual is `tolerance`, at most
// `iterations` times.

/// For symmetric matrices, indefinite ones included.
NamedSolver minres_solver(std::int64_t iterations, double tolerance);

/// For all square matrices.
NamedSolver gmres_solver(std::int64_t iterations, double tolerance);

}  // namespace nestgrad
