#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "core/config/registry.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// v -> A v, for a matrix that is never written out.
using LinearMap = std::function<ParameterSet(const ParameterSet&)>;

/// The distance from 1 to the next number of the set's floating-point type.
double machine_epsilon(const ParameterSet& set);

/// An approximate solution of A x = b and how it was come by.
struct Solution {
  ParameterSet x;
  std::int64_t products = 0;  ///< how often A was applied; solve() counts
  double residual = NAN;      ///< |A x - b| / |b| as far as the method knows it
  Status status = Status::kOk;
  std::string trouble = {};  ///< what is wrong, unless the status is kOk
  Metrics metrics = {};      ///< further numbers, by name
};

/// The matrix that is inverted and how products with it are come by: keys that
/// every inverse Hessian has.
struct HessianOptions {
  /// A + damping I takes the place of A.
  double damping = 0;

  /// The Gauss-Newton matrix J' (d2 loss / d outputs2) J, plus the Hessian of
  /// what does not depend on the outputs (penalties), takes the place of the
  /// Hessian: never indefinite for a convex loss of the outputs.
  bool gauss_newton = false;

  /// Products by central differences of gradients, for models without a second
  /// derivative.
  bool finite_difference = false;
};

/// Solves A x = b given products with A only.
///
/// A is the Hessian of the training loss or, more generally, the transposed
/// Jacobian of the condition that the inner optimum meets; see
/// hypergrad/implicit/implicit_system.h. Stateless: one instance may serve many
/// solves.
///
/// What tests/hypergrad/solvers/inverse_hessian_test.cpp holds every solver to:
/// a right-hand side of zeros gives zeros; systems of one number and multiples
/// of the identity are solved, not just those of general shape; the solution is
/// what formula() says; what is said about the residual is true.
class InverseHessian {
 public:
  static constexpr const char* kKind = "inverse_hessians";
  static Schema common_schema();

  explicit InverseHessian(HessianOptions options = {}) : options_(options) {}
  explicit InverseHessian(const Config& config);
  virtual ~InverseHessian() = default;

  /// Solves (A + damping I) x = b. `guess` may hold the solution of a system
  /// nearby, and may be ignored; whatever is random follows `key`.
  ///
  /// Adds to the metrics what all solvers can tell: "smallest_curvature" and
  /// "largest_curvature", the extreme values of v'A v / v'v over the products
  /// made, damping included, and "condition_at_least", their quotient, if both
  /// are positive. For symmetric A these are bounds of its eigenvalues.
  Solution solve(const LinearMap& a, const ParameterSet& b,
                 const ParameterSet* guess = nullptr,
                 const Key& key = Key()) const;

  const HessianOptions& options() const { return options_; }

  /// Whether the method is meant for symmetric A only.
  virtual bool symmetric_only() const { return false; }

  /// Whether the method approaches A^-1 b if it is given enough products. False
  /// for those that replace the inverse by something else on purpose.
  virtual bool converges() const { return true; }

  /// Whether solutions depend on the key.
  virtual bool random() const { return false; }

  /// What solve() should give, by dense algebra and another way than
  /// approximate() goes. `a`: [n, n], damping included; `b`: [n]; `guess`: [n]
  /// or undefined. For methods that stop early this is not A^-1 b. The default
  /// is.
  virtual Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                         const Key& key) const;

 private:
  /// The method itself. REQUIRES b is not zero. Products are counted by
  /// solve(), and damping is part of `a`.
  virtual Solution approximate(const LinearMap& a, const ParameterSet& b,
                               const ParameterSet* guess,
                               const Key& key) const = 0;

  HessianOptions options_;
};

/// How far, relatively, a solver's answer is from its formula, for a positive
/// definite system of 12 unknowns with condition number 100.
double formula_error(const InverseHessian& solver);

using InverseHessianRegistry = Registry<InverseHessian>;

}  // namespace nestgrad
