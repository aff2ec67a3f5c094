#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/solvers/krylov.h"
#include "hypergrad/solvers/named_solver.h"
#include "hypergrad/solvers/scalar.h"

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
  Solution approximate(const LinearMap& a, ParameterSet b,
                       const ParameterSet* guess, const Key&) const override {
    return iterate(
        a, b, guess,
        [&](const ParameterSet& r, const Number& enough, std::int64_t limit) {
          return with_scalar(r, enough, [&](const auto& enough) {
            return stretch(a, r, enough, limit);
          });
        });
  }

  template <class Scalar>
  Stretch stretch(const LinearMap& a, const ParameterSet& r,
                  const Scalar& enough, std::int64_t limit) const {
    const double tiny = 100 * machine_epsilon(r);
    const Scalar size = length_of<Scalar>(r), zero = constant(0, size),
                 one = constant(1, size);
    ParameterSet x = r.zeros();
    ParameterSet v = (1 / size) * r, v_old = x;  // Lanczos vectors
    ParameterSet d = x, d_old = x;               // columns of V R^-1
    std::vector<ParameterSet> kept;
    Scalar beta = zero, left = size, largest = zero, iterations = zero;
    Scalar c = one, s = zero, c_old = one, s_old = zero;  // last two rotations
    Scalar stuck = zero;  // whether a direction is mapped to zero
    auto going = left > enough;
    for (std::int64_t k = 0; k < limit && !has_ended(going, k); ++k) {
      iterations = iterations + going;
      ParameterSet w = a(v);
      const Scalar alpha = inner<Scalar>(v, w);
      w = add(add(w, -alpha, v), -beta, v_old);
      if (reorthogonalize_) {
        kept.push_back(v);
        for (const ParameterSet& u : kept) {
          w = add(w, -inner<Scalar>(u, w), u);
        }
      }
      const Scalar next = length_of<Scalar>(w);

      // The column (0, beta, alpha, next) of T, rotated.
      const Scalar epsilon = s_old * beta, turned = c_old * beta;
      const Scalar delta = c * turned + s * alpha;
      const Scalar bar = c * alpha - s * turned;
      const Scalar gamma = hypotenuse(bar, next);
      largest = either(going, larger(largest, hypotenuse(beta, alpha, next)),
                       largest);
      const auto finite = going & is_finite(gamma);
      left = either(going != finite, gamma, left);
      const auto turns = finite & (gamma > tiny * largest);
      stuck = stuck + (finite != turns);
      going = turns;
      if (has_ended(going)) break;
      c_old = std::exchange(c, either(going, bar / gamma, c));
      s_old = std::exchange(s, either(going, next / gamma, s));
      ParameterSet d_new =
          masked(going, (1 / gamma) * add(add(v, -delta, d), -epsilon, d_old));
      d_old = std::exchange(d, std::move(d_new));
      x = add(x, either(going, c * left, zero), d);
      left = either(going, left * -s, left);
      going = going & (next > tiny * largest);  // else the space is complete
      if (has_ended(going)) break;
      v_old = std::exchange(v, masked(going, (1 / next) * w));
      beta = next;
      going = going & (magnitude(left) > enough);
    }

    // What is on a device is read here, in one transfer.
    const Number residual(magnitude(left)), made(iterations), ended(stuck),
        most(largest), reached(length_of<Scalar>(x)), start(size);
    Stretch out;
    out.x = x;
    out.residual = residual;
    out.iterations = static_cast<std::int64_t>(made);
    if (ended > 0) {
      out.obstacle =
          "ended in a direction that the Hessian, which is singular, maps to "
          "zero (\"damping\" helps)";
    }
    // Rounding errors grow with the square of the condition number (Sleijpen,
    // van der Vorst and Modersitzki 2000).
    const double reach = most * reached / start;
    out.drift =
        machine_epsilon(r) * made * std::max(reach, reach * reach) * start;
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
