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

/// v -> A v, for a matrix that is never stored.
using LinearMap = std::function<ParameterSet(const ParameterSet&)>;

/// The machine epsilon of the set's floating-point type.
double machine_epsilon(const ParameterSet& set);

/// An approximate solution of A x = b, and how it was obtained.
struct Solution {
  ParameterSet x;
  std::int64_t products = 0;  ///< number of products with A; set by solve()
  double residual = NAN;      ///< |A x - b| / |b|, if the method knows it
  Status status = Status::kOk;
  std::string trouble = {};  ///< a description, unless the status is kOk
  Metrics metrics = {};      ///< further numbers, by name
};

/// Which matrix is inverted and how products with it are computed: the keys
/// that every inverse Hessian has.
struct HessianOptions {
  /// Replaces A by A + damping I.
  double damping = 0;

  /// Replaces the Hessian by the Gauss-Newton matrix J' (d2 loss / d outputs2)
  /// J plus the Hessian of the terms that do not depend on the outputs
  /// (penalties). Positive semidefinite for a convex loss of the outputs and
  /// convex penalties.
  bool gauss_newton = false;

  /// Computes products by central differences of gradients, for models without
  /// a second derivative.
  bool finite_difference = false;
};

/// Solves A x = b using only products with A.
///
/// A is the Hessian of the training loss or, more generally, the transposed
/// Jacobian of the condition that the inner optimum meets; see
/// hypergrad/implicit/implicit_system.h. Stateless: one instance may serve many
/// solves.
///
/// tests/hypergrad/solvers/inverse_hessian_test.cpp checks these laws for every
/// solver: a zero right-hand side gives zeros; systems of one number and
/// multiples of the identity are solved; the solution equals formula(); the
/// reported residual is correct.
class InverseHessian {
 public:
  static constexpr const char* kKind = "inverse_hessians";
  static Schema common_schema();

  explicit InverseHessian(HessianOptions options = {}) : options_(options) {}
  explicit InverseHessian(const Config& config);
  virtual ~InverseHessian() = default;

  /// Solves (A + damping I) x = b. `guess` may hold the solution of a similar
  /// system, and may be ignored. All randomness is determined by `key`.
  ///
  /// Adds metrics that all solvers share: "smallest_curvature" and
  /// "largest_curvature", the extreme values of v'A v / v'v over the products
  /// made, damping included, and, if both are positive, their quotient
  /// "condition_at_least". For symmetric A the curvatures are bounds on its
  /// eigenvalues.
  Solution solve(const LinearMap& a, const ParameterSet& b,
                 const ParameterSet* guess = nullptr,
                 const Key& key = Key()) const;

  const HessianOptions& options() const { return options_; }

  /// Whether the method REQUIRES a symmetric A.
  virtual bool symmetric_only() const { return false; }

  /// Whether the method approaches A^-1 b with enough products. False for those
  /// that deliberately replace the inverse by something else.
  virtual bool converges() const { return true; }

  /// Whether solutions depend on the key.
  virtual bool random() const { return false; }

  /// The result that solve() should give, computed by dense algebra in another
  /// way than by approximate(). `a`: [n, n], damping included; `b`: [n];
  /// `guess`: [n] or undefined. The default is A^-1 b; methods that stop early
  /// override it.
  virtual Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                         const Key& key) const;

 private:
  /// The method itself. REQUIRES that b is not zero. solve() counts the
  /// products, and `a` includes the damping.
  virtual Solution approximate(const LinearMap& a, const ParameterSet& b,
                               const ParameterSet* guess,
                               const Key& key) const = 0;

  HessianOptions options_;
};

/// The relative error of a solver's answer compared with its formula, for a
/// positive definite system of 12 unknowns with condition number 100.
double formula_error(const InverseHessian& solver);

using InverseHessianRegistry = Registry<InverseHessian>;

}  // namespace nestgrad
