#pragma once

#include <algorithm>
#include <string>

#include "core/tensor/number.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// Base of the methods that seek the solution of A x = b in the Krylov space of
/// the residual r = b - A x_0,
///
///   x_0 + span(r, A r, ..., A^(k-1) r).
///
/// and differ in the x that they choose there. Limits, warm starts, restarts
/// and the report on the residual are the same for all of them. A method
/// computes its residual by a recursion, which rounding moves away from the
/// true residual. Where that may matter, one more product computes the true
/// one, and the method starts again from there.
class Krylov : public InverseHessian {
 public:
  bool starts_at_guess() const override { return warm_start_; }

 protected:
  /// The result of a method for A x = r, starting from x = 0.
  struct Stretch {
    ParameterSet x;
    double residual = NAN;        ///< |r - A x|, by the recursion
    std::int64_t iterations = 0;  ///< zero only if there is an obstacle
    double drift = 0;             ///< possible error of `residual` by rounding
    std::string obstacle = {};    ///< why the method cannot go on; "" if it can
  };
  /// Iterates until the residual is `enough`, at most `limit` times. On the CPU
  /// r is not zero.
  using Method = std::function<Stretch(
      const ParameterSet& r, const Number& enough, std::int64_t limit)>;

  /// `name`: the name of the method in sentences.
  Krylov(const Config& config, std::string name);

  /// The keys that all Krylov methods have.
  static Schema keys(std::string meaning);

  Solution iterate(const LinearMap& a, const ParameterSet& b,
                   const ParameterSet* guess, const Method& method) const;

  /// The coordinates, in the orthonormal `basis` [n, k], of the x that a method
  /// chooses for A x = r. Undefined if it keeps the x of the basis without its
  /// last vector.
  using Choice = std::function<Tensor(const Tensor& a, const Tensor& basis,
                                      const Tensor& r)>;

  /// The x that iterate() should return, by dense algebra: in every stretch of
  /// at most `restart` iterations, the x of the smallest space that is good
  /// enough. The space is that of M A and M r, M = diag(scale).
  Tensor chosen(const Tensor& a, const Tensor& b, const Tensor& guess,
                std::int64_t restart, const Tensor& scale,
                const Choice& choice) const;

  /// The Choice with the least residual.
  static Tensor least_residual(const Tensor& a, const Tensor& basis,
                               const Tensor& r);

  std::int64_t iterations() const { return iterations_; }

 private:
  /// Says of a solution that is not good enough why it is not. `obstacle` is ""
  /// if the limit of iterations is the reason.
  void tell_trouble(Solution& of, std::int64_t iterations,
                    const std::string& obstacle) const;

  std::string name_;
  std::int64_t iterations_;
  double tolerance_;
  bool warm_start_;
};

}  // namespace nestgrad
