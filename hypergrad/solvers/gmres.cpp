#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/solvers/krylov.h"
#include "hypergrad/solvers/named_solver.h"

namespace nestgrad {
namespace {

/// Generalized minimal residuals (Saad and Schultz 1986, "GMRES: a generalized
/// minimal residual algorithm for solving nonsymmetric linear systems") for A x
/// = b with any square A: takes the x in the span of b, A b, ..., A^(k-1) b
/// with the smallest |A x - b|.
///
/// The Arnoldi process A V_k = V_(k+1) H, here by modified Gram-Schmidt done
/// twice, represents A on that space by a Hessenberg matrix H. Rotations factor
/// H = Q R with triangular R. All vectors of V are kept, so the method restarts
/// after `restart` iterations, which may cost it convergence.
class Gmres : public Krylov {
 public:
  explicit Gmres(const Config& config)
      : Krylov(config, "generalized minimal residuals"),
        restart_(config.integer("restart")) {}

  static Schema schema() {
    return keys(
               "Generalized minimal residuals, for systems that need not be "
               "symmetric: the form fixed_point.")
        .integer("restart", 20,
                 "The solver restarts after this number of iterations, each of "
                 "which keeps a vector in memory.",
                 at_least(1));
  }

  /// The x of the Krylov space with the least residual, repeated at each
  /// restart.
  Tensor formula(const Tensor& a, const Tensor& b, const Tensor& guess,
                 const Key&) const override {
    return chosen(a, b, guess, restart_, at::ones_like(b), least_residual);
  }

 private:
  Solution approximate(const LinearMap& a, const ParameterSet& b,
                       const ParameterSet* guess, const Key&) const override {
    return iterate(
        a, b, guess,
        [&](const ParameterSet& r, const Number& enough, std::int64_t limit) {
          return stretch(a, r, enough, std::min(limit, restart_));
        });
  }

  static Stretch stretch(const LinearMap& a, const ParameterSet& r,
                         double enough, std::int64_t limit) {
    const double tiny = 100 * machine_epsilon(r);
    Stretch out;
    std::vector<ParameterSet> v{(1 / length(r)) * r};
    std::vector<std::vector<double>> columns;  // of R
    std::vector<std::pair<double, double>> rotations;
    std::vector<double> rotated;  // Q' (|r|, 0, 0, ...), all but the last
    double left = length(r), largest = 0;
    while (out.iterations < limit && std::abs(left) > enough) {
      ++out.iterations;
      ParameterSet w = a(v.back());
      const double size = length(w);
      if (!std::isfinite(size)) {
        left = size;
        break;
      }
      largest = std::max(largest, size);
      std::vector<double> h = taken_out(v, w);
      const double next = length(w);
      const bool complete = next <= tiny * largest;  // A maps span(V) to itself
      h.back() = complete ? 0 : next;

      for (std::size_t j = 0; j < rotations.size(); ++j) {
        const auto [c, s] = rotations[j];
        const double above = h[j], below = h[j + 1];
        h[j] = c * above + s * below;
        h[j + 1] = c * below - s * above;
      }
      const double below = h.back();
      h.pop_back();
      const double gamma = std::hypot(h.back(), below);
      if (gamma <= tiny * largest) {
        out.obstacle =
            "ended in a direction that the Hessian, which is singular, maps to "
            "what there is already (\"damping\" helps)";
        break;
      }
      const double c = h.back() / gamma, s = below / gamma;
      rotations.emplace_back(c, s);
      h.back() = gamma;
      columns.push_back(std::move(h));
      rotated.push_back(c * left);
      left *= -s;
      if (complete) break;
      v.push_back((1 / next) * w);
    }

    // x = V R^-1 rotated
    out.x = r.zeros();
    for (std::size_t k = columns.size(); k-- > 0;) {
      const double y = rotated[k] / columns[k][k];
      for (std::size_t j = 0; j < k; ++j) rotated[j] -= y * columns[k][j];
      out.x = add(out.x, y, v[k]);
    }
    out.residual = std::abs(left);
    out.drift = machine_epsilon(r) * static_cast<double>(out.iterations) *
                largest * length(out.x);
    return out;
  }

  /// Makes w orthogonal to V by modified Gram-Schmidt, done twice. Returns the
  /// parts of w along V and, still zero, the length of the rest.
  static std::vector<double> taken_out(const std::vector<ParameterSet>& v,
                                       ParameterSet& w) {
    std::vector<double> h(v.size() + 1);
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < v.size(); ++j) {
        const double along = dot(v[j], w).item<double>();
        h[j] += along;
        w = add(w, -along, v[j]);
      }
    }
    return h;
  }

  std::int64_t restart_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "gmres", Gmres)

}  // namespace

NamedSolver gmres_solver(std::int64_t iterations, double tolerance) {
  const std::string name = "gmres";
  return {name, InverseHessianRegistry::instance().make(
                    Json{{"type", name},
                         {"iterations", iterations},
                         {"tolerance", tolerance}})};
}

}  // namespace nestgrad
