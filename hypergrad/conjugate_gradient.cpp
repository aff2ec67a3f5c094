#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/inverse_hessian.h"

namespace nestgrad {
namespace {

/// Conjugate gradients (Hestenes and Stiefel 1952) for A x = b with symmetric
/// positive definite A: the best x in the span of b, A b, ..., A^(k-1) b.
///
/// Along a direction p of negative or no curvature (p'A p <= 0) the method has
/// nothing to say: it stops there and keeps what it has found so far.
class ConjugateGradient : public InverseHessian {
 public:
  explicit ConjugateGradient(const Config& config)
      : InverseHessian(config),
        iterations_(config.integer("iterations")),
        tolerance_(config.number("tolerance")),
        warm_start_(config.boolean("warm_start")) {}

  static Schema schema() {
    return Schema("Conjugate gradients, for positive definite Hessians.")
        .integer("iterations", 20, "Largest number of iterations.", at_least(1))
        .number("tolerance", 1e-10,
                "Stops when the residual is this small relative to the "
                "right-hand side.",
                at_least(0))
        .boolean("warm_start", false,
                 "Starts at the solution of the estimate before, if that is "
                 "nearer than zeros are.");
  }

  bool symmetric_only() const override { return true; }

 private:
  Solution approximate(const LinearMap& a, const ParameterSet& b,
                       const ParameterSet* guess, const Key&) const override {
    Solution out;
    std::int64_t products = 0;
    double curvature = 1;  // sign of p'A p of the last direction
    const double bb = square(b);
    ParameterSet r = b;
    out.x = b.zeros();
    if (warm_start_ && guess != nullptr) {
      const ParameterSet left = b - a(*guess);
      ++products;
      // A guess that is worse than nothing would be carried on for ever.
      if (square(left) < bb) {
        out.x = *guess;
        r = left;
      }
    }
    ParameterSet p = r;
    double rr = square(r);
    const double enough = tolerance_ * tolerance_ * bb;
    for (std::int64_t k = 0; k < iterations_ && rr > enough; ++k) {
      const ParameterSet q = a(p);
      ++products;
      const double pq = dot(p, q).item<double>();
      if (!(pq > 0)) {
        curvature = pq < 0 ? -1 : pq;  // 0 or NaN as it is
        break;
      }
      const double alpha = rr / pq;
      out.x = add(out.x, alpha, p);
      r = add(r, -alpha, q);
      const double before = rr;
      rr = square(r);
      p = add(r, rr / before, p);
    }

    out.residual = std::sqrt(rr / bb);
    if (!std::isfinite(rr) || std::isnan(curvature)) {
      out.status = Status::kDiverged;
      out.trouble = fmt::format(
          "a Hessian product in conjugate gradients is not finite (product {})",
          products);
    } else if (curvature <= 0) {
      out.status = Status::kNotConverged;
      out.trouble = fmt::format(
          "conjugate gradients met {} curvature at product {}; kept the "
          "iterate before, residual {:.3g}",
          curvature < 0 ? "negative" : "no", products, out.residual);
    } else if (rr > enough) {
      out.status = Status::kNotConverged;
      out.trouble = fmt::format(
          "conjugate gradients stopped at its limit of {} iterations, residual "
          "{:.3g}",
          iterations_, out.residual);
    }
    return out;
  }

  static double square(const ParameterSet& v) {
    return dot(v, v).item<double>();
  }

  std::int64_t iterations_;
  double tolerance_;
  bool warm_start_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "conjugate_gradient",
                  ConjugateGradient)

}  // namespace
}  // namespace nestgrad
