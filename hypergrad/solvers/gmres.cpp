#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "hypergrad/solvers/krylov.h"
#include "hypergrad/solvers/named_solver.h"
#include "hypergrad/solvers/scalar.h"

namespace nestgrad {
namespace {

/// A column of H: A v_k in the basis.
struct Column {
  std::vector<Number> along;  ///< parts along v_1 .. v_k, of two passes
  Number rest;                ///< the length of what is left, v_(k+1)
  Number image;               ///< |A v_k|
};

/// The least squares problem min_y |(|r|, 0, 0, ...) - H y|, which gains a
/// column at a time: H = Q R by rotations.
class LeastSquares {
 public:
  LeastSquares(double size, double enough, double epsilon)
      : left_(size), enough_(enough), tiny_(100 * epsilon) {}

  /// Takes the next column, and says whether the method goes on.
  bool take(const Column& column) {
    ++iterations_;
    if (!std::isfinite(column.image)) {
      left_ = column.image;
      return false;
    }
    largest_ = std::max<double>(largest_, column.image);
    // A maps the space to itself.
    const bool complete = column.rest <= tiny_ * largest_;
    std::vector<double> h(columns_.size() + 2);
    for (std::size_t i = 0; i < column.along.size(); ++i) {
      h[i % (columns_.size() + 1)] += column.along[i];
    }
    h.back() = complete ? 0 : static_cast<double>(column.rest);

    for (std::size_t j = 0; j < rotations_.size(); ++j) {
      const auto [c, s] = rotations_[j];
      const double above = h[j], below = h[j + 1];
      h[j] = c * above + s * below;
      h[j + 1] = c * below - s * above;
    }
    const double below = h.back();
    h.pop_back();
    const double gamma = std::hypot(h.back(), below);
    if (gamma <= tiny_ * largest_) {
      obstacle_ =
          "ended in a direction that the Hessian, which is singular, maps to "
          "what there is already (\"damping\" helps)";
      return false;
    }
    const double c = h.back() / gamma, s = below / gamma;
    rotations_.emplace_back(c, s);
    h.back() = gamma;
    columns_.push_back(std::move(h));
    rotated_.push_back(c * left_);
    left_ *= -s;
    return !complete && std::abs(left_) > enough_;
  }

  /// y = R^-1 Q' (|r|, 0, 0, ...)
  std::vector<double> solution() const {
    std::vector<double> y = rotated_;
    for (std::size_t k = y.size(); k-- > 0;) {
      y[k] /= columns_[k][k];
      for (std::size_t j = 0; j < k; ++j) y[j] -= y[k] * columns_[k][j];
    }
    return y;
  }

  std::int64_t iterations() const { return iterations_; }
  double residual() const { return std::abs(left_); }
  double largest() const { return largest_; }  ///< of the |A v_k|
  const std::string& obstacle() const { return obstacle_; }

 private:
  double left_, enough_, tiny_, largest_ = 0;
  std::int64_t iterations_ = 0;
  std::vector<std::vector<double>> columns_;  // of R
  std::vector<std::pair<double, double>> rotations_;
  std::vector<double> rotated_;  // Q' (|r|, 0, 0, ...), all but the last
  std::string obstacle_;
};

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
  Solution approximate(const LinearMap& a, ParameterSet b,
                       const ParameterSet* guess, const Key&) const override {
    return iterate(
        a, b, guess,
        [&](const ParameterSet& r, const Number& enough, std::int64_t limit) {
          return stretch(a, r, enough, std::min(limit, restart_));
        });
  }

  static Stretch stretch(const LinearMap& a, const ParameterSet& r,
                         const Number& enough, std::int64_t limit) {
    const Number size(norm(r));
    std::vector<ParameterSet> v{scaled(reciprocal(size), r)};
    std::vector<Column> columns;
    std::optional<LeastSquares> problem;
    const auto take = [&](const Column& column) {
      if (!problem) problem.emplace(size, enough, machine_epsilon(r));
      return problem->take(column);
    };
    // The basis does not depend on when the method ends, so on a device all
    // columns are read after the last, in one transfer.
    const bool unread = size.waiting().defined();
    for (std::int64_t k = 0; k < limit; ++k) {
      ParameterSet w = a(v.back());
      Column column{{}, 0, Number(norm(w))};
      column.along = taken_out(v, w);
      column.rest = Number(norm(w));
      if (unread) {
        columns.push_back(column);
      } else if (!take(column)) {
        break;
      }
      v.push_back(scaled(reciprocal(column.rest), w));
    }
    for (const Column& column : columns) {
      if (!take(column)) break;
    }

    Stretch out;
    out.x = r.zeros();
    const std::vector<double> y = problem->solution();
    for (std::size_t k = y.size(); k-- > 0;) out.x = add(out.x, y[k], v[k]);
    out.iterations = problem->iterations();
    out.residual = problem->residual();
    out.obstacle = problem->obstacle();
    // The basis is orthonormal, so |x| = |y|.
    const double reached =
        std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0));
    out.drift = machine_epsilon(r) * static_cast<double>(out.iterations) *
                problem->largest() * reached;
    return out;
  }

  /// Makes w orthogonal to V by modified Gram-Schmidt, done twice. Returns the
  /// parts of w along V, first those of the first pass.
  static std::vector<Number> taken_out(const std::vector<ParameterSet>& v,
                                       ParameterSet& w) {
    std::vector<Number> along;
    for (int pass = 0; pass < 2; ++pass) {
      for (const ParameterSet& u : v) {
        along.emplace_back(dot(u, w));
        w = subtract(w, along.back(), u);
      }
    }
    return along;
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
