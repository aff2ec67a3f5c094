#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/solvers/krylov.h"
#include "hypergrad/solvers/scalar.h"

namespace nestgrad {
namespace {

/// Conjugate gradients (Hestenes and Stiefel 1952, "Methods of conjugate
/// gradients for solving linear systems") for A x = b with symmetric positive
/// definite A: takes the x in the span of b, A b, ..., A^(k-1) b with the
/// smallest error (x - x*)' A (x - x*).
///
/// The method is undefined along a direction p of negative or zero curvature
/// (p'A p <= 0). It stops there and keeps the iterate before.
///
/// A preconditioner M = 1 / diag(A) replaces the matrix by M^1/2 A M^1/2. The
/// diagonal is estimated from products with random signs z (Bekas, Kokiopoulou
/// and Saad 2007, "An estimator for the diagonal of a matrix"): the mean of
/// z (A z), element by element.
class ConjugateGradient : public Krylov {
 public:
  explicit ConjugateGradient(const Config& config)
      : Krylov(config, "conjugate gradients"),
        probes_(config.text("preconditioner") == "diagonal"
                    ? config.integer("probes")
                    : 0) {}

  static Schema schema() {
    return keys("Conjugate gradients, for positive definite Hessians.")
        .choice("preconditioner", "none",
                "none, or the diagonal of the Hessian, estimated: for "
                "Hessians whose diagonal spans orders of magnitude, as with "
                "one decay per weight.",
                {"none", "diagonal"})
        .integer("probes", 8,
                 "Hessian products spent on the estimate of the diagonal.",
                 at_least(1));
  }

  bool symmetric_only() const override { return true; }
  bool random() const override { return probes_ > 0; }

  /// The x of the Krylov space with the smallest error in the norm of A, while
  /// A is positive definite on that space.
  Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                 const Key& key) const override {
    Tensor scale = at::ones_like(b);
    if (probes_ > 0) {
      std::vector<Tensor> signs;
      for (std::int64_t i = 0; i < probes_; ++i) {
        signs.push_back(probe(key, i, {{"", b}}).flatten());
      }
      const Tensor z = at::stack(signs, 1), az = at::mm(a, z);
      scale = inverse((z * az).mean(1), az.square().mean(1));
    }
    const auto choice = [](const Tensor& a, const Tensor& basis,
                           const Tensor& r) {
      const Tensor small = at::mm(basis.t(), at::mm(a, basis));
      const Tensor spectrum = at::linalg_eigvalsh((small + small.t()) / 2);
      return spectrum[0].item<double>() > 0
                 ? at::linalg_solve(small, at::mv(basis.t(), r))
                 : Tensor();
    };
    return chosen(a, b, guess, iterations(), scale, choice);
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b,
                       const ParameterSet* guess,
                       const Key& key) const override {
    const ParameterSet scale = preconditioner(a, b, key);
    return iterate(
        a, b, guess,
        [&](const ParameterSet& r, const Number& enough, std::int64_t limit) {
          return with_scalar(r, enough, [&](const auto& enough) {
            return stretch(a, scale, r, enough, limit);
          });
        });
  }

  /// `scale`: the diagonal of M; empty for the identity.
  template <class Scalar>
  static Stretch stretch(const LinearMap& a, const ParameterSet& scale,
                         ParameterSet r, const Scalar& enough,
                         std::int64_t limit) {
    const auto preconditioned = [&](const ParameterSet& r) {
      return scale.empty() ? r : scale * r;
    };
    const double epsilon = machine_epsilon(r);
    ParameterSet x = r.zeros(), z = preconditioned(r), p = z;
    Scalar rr = inner<Scalar>(r, r),
           rz = scale.empty() ? rr : inner<Scalar>(r, z);
    const Scalar zero = constant(0, rr);
    Scalar largest = zero, iterations = zero;
    Scalar bent = zero, bend = zero;  // whether curvature ended it, and which
    auto going = root(rr) > enough;
    for (std::int64_t k = 0; k < limit && !has_ended(going, k); ++k) {
      const ParameterSet q = a(p);
      iterations = iterations + going;
      const Scalar pq = inner<Scalar>(p, q),
                   curvature = pq / inner<Scalar>(p, p);
      // False for NaN.
      const auto curved = going & (curvature > epsilon * largest);
      bent = bent + (going != curved);
      bend = either(going != curved, curvature, bend);
      going = curved;
      if (has_ended(going)) break;
      largest = either(going, larger(largest, curvature), largest);
      const Scalar alpha = either(going, rz / pq, zero);
      x = add(x, alpha, p);
      r = add(r, -alpha, masked(going, q));
      z = preconditioned(r);
      const Scalar before = rz;
      rr = inner<Scalar>(r, r);
      rz = scale.empty() ? rr : inner<Scalar>(r, z);
      p = add(z, either(going, rz / before, zero), p);
      going = going & (root(rr) > enough);
    }

    // What is on a device is read here, in one transfer.
    const Number residual(rr), made(iterations), ended(bent), last(bend),
        most(largest), size(inner<Scalar>(x, x));
    Stretch out;
    out.x = x;
    out.iterations = static_cast<std::int64_t>(made);
    out.residual = std::sqrt(residual);
    if (ended > 0 && std::isnan(last)) {
      out.residual = NAN;
    } else if (ended > 0) {
      out.obstacle = fmt::format(
          "met {} curvature in iteration {} and kept the iterate before "
          "(\"damping\" or \"hessian\": \"gauss_newton\" make it positive)",
          last < 0 ? "negative" : "no", out.iterations);
    }
    out.drift = epsilon * made * most * std::sqrt(size);
    return out;
  }

  ParameterSet preconditioner(const LinearMap& a, const ParameterSet& b,
                              const Key& key) const {
    if (probes_ == 0) return {};
    const double share = 1 / static_cast<double>(probes_);
    ParameterSet diagonal = b.zeros(), squares = b.zeros();
    for (std::int64_t i = 0; i < probes_; ++i) {
      const ParameterSet z = probe(key, i, b), product = a(z);
      diagonal = add(diagonal, share, z * product);
      squares = add(squares, share, product * product);
    }
    // One floor for the whole diagonal, not one per tensor.
    return b.unflatten(inverse(diagonal.flatten(), squares.flatten()));
  }

  static ParameterSet probe(const Key& key, std::int64_t i,
                            const ParameterSet& like) {
    const Key probe_key = key.fold("probe").fold(static_cast<std::uint64_t>(i));
    return like.unflatten(probe_key.signs(like.flatten()));
  }

  /// 1 / diagonal, from the means over the probes of z (A z) and of (A z)^2.
  /// The latter estimates the squared norm of a row; without the diagonal's
  /// square it gives the error of the diagonal's estimate. Entries smaller than
  /// their error or than rounding are raised to it.
  Tensor inverse(const Tensor& diagonal, const Tensor& squares) const {
    const Tensor size = diagonal.abs();
    const Tensor error =
        ((squares - size.square()).clamp_min(0) / static_cast<double>(probes_))
            .sqrt();
    const Tensor floor = machine_epsilon({{"", diagonal}}) * size.max();
    return 1 / at::max(at::max(size, error),
                       at::where(floor > 0, floor, at::ones_like(floor)));
  }

  std::int64_t probes_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "conjugate_gradient",
                  ConjugateGradient)

}  // namespace
}  // namespace nestgrad
