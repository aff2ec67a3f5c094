#pragma once

#include <algorithm>
#include <string>

#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// What methods have in common that seek the solution of A x = b in the Krylov
/// space of the residual r = b - A x_0,
///
///   x_0 + span(r, A r, ..., A^(k-1) r),
///
/// and differ in which x they take there: limits, warm starts, restarts, and a
/// true report. A method carries its residual along by a recursion, from which
/// rounding moves the truth away. Where that may matter, one more product tells
/// the truth, and the method starts again from there.
class Krylov : public InverseHessian {
 protected:
  /// What a method makes of A x = r, from zeros on.
  struct Stretch {
    ParameterSet x;
    double residual = NAN;        ///< |r - A x|, by the recursion
    std::int64_t iterations = 0;  ///< made; at least one or an obstacle
    double drift = 0;             ///< how far rounding may have moved residual
    std::string obstacle = {};    ///< why the method cannot go on, if so
  };
  /// Iterates until the residual is `enough`, at most `limit` times.
  using Method = std::function<Stretch(const ParameterSet& r, double enough,
                                       std::int64_t limit)>;

  /// `name`: what the method is called in sentences.
  Krylov(const Config& config, std::string name);

  /// The keys that all of them have.
  static Schema keys(std::string meaning);

  Solution iterate(const LinearMap& a, const ParameterSet& b,
                   const ParameterSet* guess, const Method& method) const;

  /// Coordinates in `basis` [n, k], orthonormal, of the x that a method takes
  /// for A x = r. Undefined if it keeps the x of the basis without its last.
  using Choice = std::function<Tensor(const Tensor& a, const Tensor& basis,
                                      const Tensor& r)>;

  /// What iterate() should give, by dense algebra: in every stretch of at most
  /// `restart` iterations the x of the smallest space that is good enough. The
  /// space is that of M A and M r, M = diag(scale).
  Tensor chosen(const Tensor& a, const Tensor& b, const Tensor& guess,
                std::int64_t restart, const Tensor& scale,
                const Choice& choice) const;

  /// The least residual in a space, as a Choice.
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
