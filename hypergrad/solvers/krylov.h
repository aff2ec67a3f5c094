#pragma once

#include <algorithm>
#include <string>

#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// Base of methods that seek the solution of A x = b in the Krylov space of the
/// residual r = b - A x_0,
///
///   x_0 + span(r, A r, ..., A^(k-1) r).
///
/// The methods differ in which x of the space they take. Their common part is
/// here: limits, warm starts, restarts and a correct report. A method updates
/// its residual by a recursion, which rounding errors make inaccurate. Where
/// that may matter, iterate() computes the residual with one more product and
/// restarts the method from there.
class Krylov : public InverseHessian {
 protected:
  /// The result of a method for A x = r, starting at zero.
  struct Stretch {
    ParameterSet x;
    double residual = NAN;        ///< |r - A x|, by the recursion
    std::int64_t iterations = 0;  ///< at least one unless there is an obstacle
    double drift = 0;             ///< possible rounding error of residual
    std::string obstacle =
        {};  ///< why the method cannot continue, if it cannot
  };
  /// Iterates until the residual is `enough`, at most `limit` times.
  using Method = std::function<Stretch(const ParameterSet& r, double enough,
                                       std::int64_t limit)>;

  /// `name`: the name of the method in messages.
  Krylov(const Config& config, std::string name);

  /// The keys that all Krylov methods have.
  static Schema keys(std::string meaning);

  Solution iterate(const LinearMap& a, const ParameterSet& b,
                   const ParameterSet* guess, const Method& method) const;

  /// Coordinates in the orthonormal `basis` [n, k] of the x that a method takes
  /// for A x = r. Undefined if it keeps the x of the previous, smaller basis.
  using Choice = std::function<Tensor(const Tensor& a, const Tensor& basis,
                                      const Tensor& r)>;

  /// What iterate() should give, by dense algebra: between restarts, which
  /// happen after at most `restart` iterations, the x of the smallest space
  /// whose residual is small enough. The space is that of M A and M r, M =
  /// diag(scale).
  Tensor chosen(const Tensor& a, const Tensor& b, const Tensor& guess,
                std::int64_t restart, const Tensor& scale,
                const Choice& choice) const;

  /// The Choice of least residual.
  static Tensor least_residual(const Tensor& a, const Tensor& basis,
                               const Tensor& r);

  std::int64_t iterations() const { return iterations_; }

 private:
  std::string name_;
  std::int64_t iterations_;
  double tolerance_;
  bool warm_start_;
};

}  // namespace nestgrad
