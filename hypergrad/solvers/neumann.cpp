#include <ATen/ATen.h>

#include "hypergrad/solvers/inverse_hessian.h"
#include "hypergrad/solvers/scalar.h"

namespace nestgrad {
namespace {

/// The truncated Neumann series (Lorraine, Vicol and Duvenaud 2020):
///
///   x = alpha sum_{j=0..K} (I - alpha A)^j b
///
/// Needs K products for K + 1 summands. As K grows it approaches A^-1 b if and
/// only if 0 < alpha < 2 / lambda_max(A). At an inner optimum it equals
/// unrolling K + 1 steps of gradient descent with learning rate alpha.
///
/// With alpha "auto", alpha = 1 / lambda, where lambda is the estimate of
/// lambda_max by power iteration that starts at b. This start suffices:
/// directions that b lacks do not occur in the series either.
class Neumann : public InverseHessian {
 public:
  explicit Neumann(const Config& config)
      : InverseHessian(config),
        terms_(config.integer("terms")),
        automatic_(config.is_text("scale")),
        scale_(automatic_ ? 0 : config.number("scale")),
        power_iterations_(config.integer("power_iterations")) {}

  static Schema schema() {
    return Schema("Truncated Neumann series for the inverse Hessian.")
        .integer("terms", 10,
                 "Number K of Hessian products; the series has K + 1 summands.",
                 at_least(0))
        .number("scale", "auto",
                "Step alpha of the series, below 2 / (largest eigenvalue of "
                "the Hessian); auto: 1 / (its estimate by power iteration).",
                above(0), {"auto"})
        .integer("power_iterations", 8,
                 "Hessian products spent on the estimate of the largest "
                 "eigenvalue when the scale is auto.",
                 at_least(1));
  }

  /// alpha sum_{j=0..K} (I - alpha A)^j b = (I - (I - alpha A)^(K+1)) A^-1 b
  Tensor formula(const Tensor& a, const Tensor& b, const Tensor&,
                 const Key&) const override {
    double alpha = scale_;
    if (automatic_) {
      Tensor v = b;
      double lambda = v.norm().item<double>();
      for (std::int64_t i = 0; i < power_iterations_ && lambda > 0; ++i) {
        v = at::mv(a, v / lambda);
        lambda = v.norm().item<double>();
      }
      alpha = lambda > 0 ? 1 / lambda : 1;
    }
    const Tensor eye = at::eye(b.numel(), b.options());
    const Tensor rest = at::linalg_matrix_power(eye - alpha * a, terms_ + 1);
    const Tensor inverse = at::linalg_solve(a, b);
    return inverse - at::mv(rest, inverse);
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    Solution out;
    const Number size(norm(b));
    Number lambda, alpha = scale_;
    if (automatic_) {
      lambda = largest_eigenvalue(a, b);
      alpha = reciprocal(lambda, 1);
    }
    ParameterSet term = b, sum = std::move(b);
    for (std::int64_t k = 0; k < terms_; ++k) {
      term = subtract(term, alpha, a(term));
      sum = sum + term;
    }
    out.x = scaled(alpha, sum);
    const Number last(norm(term));

    // Nothing was read from a device until here.
    if (automatic_) out.metrics["largest_eigenvalue"] = lambda;
    out.metrics["scale"] = alpha;
    out.used["scale"] = static_cast<double>(alpha);
    // b - A x is the term after the last. The last term is as good a measure
    // and saves a product.
    out.residual = last / size;
    if (!std::isfinite(out.residual)) {
      out.status = Status::kDiverged;
      out.trouble = fmt::format(
          "the Neumann series is not finite after {} terms (scale {:.3g}); a "
          "smaller \"scale\", fewer \"terms\" or \"damping\" help",
          terms_, static_cast<double>(alpha));
    } else if (out.residual > 1) {
      out.status = Status::kNotConverged;
      out.trouble = fmt::format(
          "the terms of the Neumann series grow ({:.3g} times in {}): the "
          "scale {:.3g} is above 2 / (largest eigenvalue), or curvature is "
          "negative; fewer \"terms\", \"damping\" or \"hessian\": "
          "\"gauss_newton\" help",
          out.residual, terms_, static_cast<double>(alpha));
    }
    return out;
  }

  Number largest_eigenvalue(const LinearMap& a, const ParameterSet& b) const {
    ParameterSet v = b;
    Number lambda(norm(b));
    for (std::int64_t i = 0; i < power_iterations_; ++i) {
      v = a(scaled(reciprocal(lambda), v));
      lambda = Number(norm(v));
    }
    return lambda;
  }

  std::int64_t terms_;
  bool automatic_;
  double scale_;
  std::int64_t power_iterations_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "neumann", Neumann)

}  // namespace
}  // namespace nestgrad
