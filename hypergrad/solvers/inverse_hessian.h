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

/// What has happened where products with A are not finite, and what helps.
inline constexpr const char* kGrownTooLarge =
    "weights or hyperparameters have grown too large, which smaller learning "
    "rates prevent";

/// An approximate solution of A x = b and how it was obtained.
struct Solution {
  ParameterSet x;
  std::int64_t products = 0;  ///< number of products with A; set by solve()
  double residual = NAN;      ///< |A x - b| / |b|, if the method knows it
  Status status = Status::kOk;
  std::string trouble = {};  ///< a description, unless the status is kOk
  Metrics metrics = {};      ///< further numbers, by name

  /// The settings that the solver had to find itself, as a part of its section:
  /// {"scale": 0.125} if that was "auto".
  Json used = Json::object();
};

/// The matrix that is inverted and how products with it are computed. Every
/// inverse Hessian has keys for these options.
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
/// Every solver keeps this contract (inverse_hessian_test.cpp in
/// tests/hypergrad/solvers):
///  - a right-hand side of zeros gives zeros;
///  - systems of one unknown and multiples of the identity are solved as well
///    as systems of general shape;
///  - the solution is what formula() says;
///  - the residual that is reported is true.
class InverseHessian {
 public:
  static constexpr const char* kKind = "inverse_hessians";
  static Schema common_schema();

  explicit InverseHessian(HessianOptions options = {}) : options_(options) {}
  explicit InverseHessian(const Config& config);
  virtual ~InverseHessian() = default;

  /// Solves (A + damping I) x = b. `guess` is the solution of a similar system
  /// if there is one; it may be ignored. Whatever is random follows `key`.
  ///
  /// Adds metrics that all solvers have: "smallest_curvature" and
  /// "largest_curvature", the extreme values of v'A v / v'v over the products
  /// made, damping included, and, if both are positive, their quotient
  /// "condition_at_least". For symmetric A the curvatures are bounds on its
  /// eigenvalues.
  Solution solve(const LinearMap& a, ParameterSet b,
                 const ParameterSet* guess = nullptr,
                 const Key& key = Key()) const;

  const HessianOptions& options() const { return options_; }

  /// Whether the method REQUIRES a symmetric A.
  virtual bool symmetric_only() const { return false; }

  /// Whether the method approaches A^-1 b if it is given enough products. False
  /// for a method that replaces the inverse by something else on purpose.
  virtual bool converges() const { return true; }

  /// Whether a solution depends on the guess.
  virtual bool starts_at_guess() const { return false; }

  /// Whether solutions depend on the key.
  virtual bool random() const { return false; }

  /// The vector that solve() should return, by dense algebra and another way
  /// than approximate(). `a`: [n, n], damping included; `b`: [n]; `guess`: [n]
  /// or undefined. The default is A^-1 b. A method that stops early overrides
  /// it.
  virtual Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                         const Key& key) const;

 private:
  /// The method itself. Where many weights leave little memory, `b` is the only
  /// copy: a method that does not need it any more lets it go. solve() counts
  /// the products, and `a` includes the damping. On the CPU b is not zero; what
  /// is returned for zeros on another device does not count, but has to be
  /// returned.
  virtual Solution approximate(const LinearMap& a, ParameterSet b,
                               const ParameterSet* guess,
                               const Key& key) const = 0;

  HessianOptions options_;
};

/// The relative error of a solver's answer compared with its formula, for a
/// positive definite system of 12 unknowns with condition number 100.
double formula_error(const InverseHessian& solver);

using InverseHessianRegistry = Registry<InverseHessian>;

}  // namespace nestgrad
