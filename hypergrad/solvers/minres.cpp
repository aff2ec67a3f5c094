#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/solvers/krylov.h"
#include "hypergrad/solvers/named_solver.h"

namespace nestgrad {
namespace {

/// Minimal residuals (Paige and Saunders 1975, "Solution of sparse indefinite
/// systems of linear equations") for A x = b with symmetric, possibly
/// indefinite A: takes the x in the span of b, A b, ..., A^(k-1) b with the
/// smallest |A x - b|.
///
/// The Lanczos process A v_k = beta_k v_(k-1) + alpha_k v_k + beta_(k+1)
/// v_(k+1) represents A on that space by a tridiagonal matrix T. Rotations, one
/// per iteration, make T triangular, so all recursions have three terms.
///
/// In exact arithmetic six vectors suffice. With rounding, later v_k lean
/// towards eigenvectors that were already found, and iterations are wasted on
/// finding them again. Keeping all v_k and orthogonalizing once more costs less
/// than those products.
class Minres : public Krylov {
 public:
  explicit Minres(const Config& config)
      : Krylov(config, "minimal residuals"),
        reorthogonalize_(config.boolean("reorthogonalize")) {}

  static Schema schema() {
    return keys(
               "Minimal residuals, for symmetric Hessians that may be "
               "indefinite or singular.")
        .boolean("reorthogonalize", true,
                 "Keeps a vector per iteration, against rounding; false: six "
                 "vectors in all, more products for the same residual.");
  }

  bool symmetric_only() const override { return true; }

  /// The x of the Krylov space with the least residual. Without
  /// reorthogonalization this holds while rounding errors are small.
  Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                 const Key&) const override {
    return chosen(a, b, guess, iterations(), at::ones_like(b), least_residual);
  }

 private:
  Solution approximate(const LinearMap& a, const ParameterSet& b,
                       const ParameterSet* guess, const Key&) const override {
    return iterate(
        a, b, guess,
        [&](const ParameterSet& r, const Number& enough, std::int64_t limit) {
          return stretch(a, r, enough, limit);
        });
  }

  Stretch stretch(const LinearMap& a, const ParameterSet& r, double enough,
                  std::int64_t limit) const {
    const double size = length(r), tiny = 100 * machine_epsilon(r);
    Stretch out;
    out.x = r.zeros();
    ParameterSet v = (1 / size) * r, v_old = out.x;  // Lanczos vectors
    ParameterSet d = out.x, d_old = out.x;           // columns of V R^-1
    std::vector<ParameterSet> kept;
    double beta = 0, left = size, largest = 0;
    double c = 1, s = 0, c_old = 1, s_old = 0;  // the last two rotations
    while (out.iterations < limit && std::abs(left) > enough) {
      ++out.iterations;
      ParameterSet w = a(v);
      const double alpha = dot(v, w).item<double>();
      w = add(add(w, -alpha, v), -beta, v_old);
      if (reorthogonalize_) {
        kept.push_back(v);
        for (const ParameterSet& u : kept) {
          w = add(w, -dot(u, w).item<double>(), u);
        }
      }
      const double next = length(w);

      // The column (0, beta, alpha, next) of T, rotated.
      const double epsilon = s_old * beta, turned = c_old * beta;
      const double delta = c * turned + s * alpha;
      const double bar = c * alpha - s * turned;
      const double gamma = std::hypot(bar, next);
      largest = std::max(largest, std::hypot(beta, alpha, next));
      if (!std::isfinite(gamma)) {
        left = gamma;
        break;
      }
      if (gamma <= tiny * largest) {
        out.obstacle =
            "ended in a direction that the Hessian, which is singular, maps to "
            "zero (\"damping\" helps)";
        break;
      }
      c_old = std::exchange(c, bar / gamma);
      s_old = std::exchange(s, next / gamma);
      ParameterSet d_new =
          (1 / gamma) * add(add(v, -delta, d), -epsilon, d_old);
      d_old = std::exchange(d, std::move(d_new));
      out.x = add(out.x, c * left, d);
      left *= -s;
      if (next <= tiny * largest) break;  // the space is complete
      v_old = std::exchange(v, (1 / next) * w);
      beta = next;
    }
    out.residual = std::abs(left);
    // Rounding errors grow with the square of the condition number (Sleijpen,
    // van der Vorst and Modersitzki 2000).
    const double reach = largest * length(out.x) / size;
    out.drift = machine_epsilon(r) * static_cast<double>(out.iterations) *
                std::max(reach, reach * reach) * size;
    return out;
  }

  bool reorthogonalize_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "minres", Minres)

}  // namespace

NamedSolver minres_solver(std::int64_t iterations, double tolerance) {
  const std::string name = "minres";
  return {name, InverseHessianRegistry::instance().make(
                    Json{{"type", name},
                         {"iterations", iterations},
                         {"tolerance", tolerance}})};
}

}  // namespace nestgrad
