#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/parameter_set.h"
#include "core/problem.h"
#include "core/registry.h"

namespace nestgrad {

/// v -> A v, for a matrix that is never written out.
using LinearMap = std::function<ParameterSet(const ParameterSet&)>;

/// An approximate solution of A x = b and how it was come by.
struct Solution {
  ParameterSet x;
  std::int64_t products = 0;  ///< how often A was applied
  double residual = NAN;      ///< |A x - b| / |b| as far as the method knows it
  Status status = Status::kOk;
  std::string trouble = {};  ///< what is wrong, unless the status is kOk
  Metrics metrics = {};      ///< further numbers of the method, by name
};

/// Solves A x = b given products with A only.
///
/// A is the Hessian of the training loss or, more generally, the transposed
/// Jacobian of the condition that the inner optimum meets; see
/// hypergrad/implicit_system.h. Stateless: one instance may serve many solves.
///
/// What tests/inverse_hessian_test.cpp holds every solver to: a right-hand side
/// of zeros gives zeros; systems of one number and multiples of the identity
/// are solved, not just those of general shape; `products` is the number of
/// calls of A; what is said about the residual is true.
class InverseHessian {
 public:
  static constexpr const char* kKind = "inverse_hessians";

  virtual ~InverseHessian() = default;

  /// `guess` may hold the solution of a system nearby, and may be ignored.
  virtual Solution solve(const LinearMap& a, const ParameterSet& b,
                         const ParameterSet* guess = nullptr) const = 0;

  /// Whether the method is meant for symmetric A only.
  virtual bool symmetric_only() const { return false; }

  /// Whether the method approaches A^-1 b if it is given enough products. False
  /// for those that replace the inverse by something else on purpose.
  virtual bool converges() const { return true; }
};

using InverseHessianRegistry = Registry<InverseHessian>;

}  // namespace nestgrad
