#include "hypergrad/estimator.h"
#include "tests/support/support.h"

// What approximate inverse Hessians do to the solution when there are many:
// antidistillation (Vicol, Lorraine, Pedregosa, Duvenaud and Grosse 2022, "On
// implicit bias in overparameterized bilevel optimization").

namespace nestgrad {
namespace {

constexpr std::int64_t kTargets = 13, kHarmonics = 30;
constexpr double kValue = 2;  // wanted at x = 0

/// 1, cos(n x) / n, sin(n x) / n. [x, 61]
Tensor features(const Tensor& x) {
  const Tensor n = at::arange(1, kHarmonics + 1, float64());
  const Tensor nx = x.unsqueeze(1) * n;
  return at::cat(
      {at::ones({x.numel(), 1}, float64()), nx.cos() / n, nx.sin() / n}, 1);
}

/// Features of the fixed points, and of 0.
Tensor all_features() {
  return features(0.9 * M_PI * at::linspace(-1, 1, kTargets, float64()));
}
Tensor features_of_zero() { return all_features().select(0, kTargets / 2); }

/// Gradient descent on u from 0 stays on the ray of d = Phi B phi0, where B is
/// what stands for the inverse of Phi'Phi, and ends where phi0'w(u) = 2.
struct Direction {
  explicit Direction(const std::function<double(double)>& filter) {
    const auto [values, vectors] = at::linalg_eigh(at::mm(phi.t(), phi));
    Tensor inverse = at::empty_like(values);
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      inverse[i] = filter(values[i].item<double>());
    }
    const Tensor q = at::mv(vectors * inverse, at::mv(vectors.t(), phi0));
    d = at::mv(phi, q);
    const Tensor w = at::mv(at::linalg_pinv(phi), d);
    predicted = at::dot(phi0, w).item<double>();
    u_norm = kValue / predicted * d.norm().item<double>();
    w_norm = kValue / predicted * w.norm().item<double>();
  }

  Tensor phi = all_features(), phi0 = features_of_zero();
  Tensor d;
  double predicted;  // phi0'w for u = d
  double u_norm, w_norm;
};

double alpha() {
  const Tensor phi = all_features();
  return 1 / at::linalg_eigvalsh(at::mm(phi, phi.t())).max().item<double>();
}

/// The Neumann series of K summands; alpha K where l is 0.
Direction neumann(double k) {
  return Direction([k, a = alpha()](double l) {
    return l > 1e-9 ? (1 - std::pow(1 - a * l, k)) / l : a * k;
  });
}
Direction damped(double epsilon) {
  return Direction([=](double l) { return 1 / (std::max(l, 0.0) + epsilon); });
}
Direction exact() {
  return Direction([](double l) { return l > 1e-9 ? 1 / l : 0; });
}

/// |u| and |w| where gradient descent on u from 0 ends that follows "ift".
std::pair<double, double> descended(const Json& solver,
                                    const Direction& direction) {
  const std::shared_ptr<const BilevelProblem> problem =
      ProblemRegistry::instance().make(Json{{"type", "antidistillation"}},
                                       {float64(), Key(1)});
  const TrainingLoop loop(
      problem, OptimizerRegistry::instance().make(
                   Json{{"type", "sgd"}, {"lr", 0.12}, {"momentum", 0.75}}));
  const auto estimator =
      EstimatorRegistry::instance().make(Json{{"type", "ift"},
                                              {"window", 250},
                                              {"horizon", 250},
                                              {"solver", solver}},
                                         loop);
  ParameterSet u = problem->initial_hyper();
  estimator->begin(u, Key(1));
  for (int i = 0; i < 7; ++i) {
    u = add(u, -0.9 / direction.predicted, estimator->estimate(u).gradient);
  }
  return {norm(u).item<double>(), norm(estimator->weights(u)).item<double>()};
}

}  // namespace

TEST_CASE("a truncated Neumann series finds larger targets, and damping does",
          "[implicit_bias]") {
  // The exact inverse: all in the target at 0, which is the smallest solution.
  CHECK(exact().u_norm == Approx(2.0).margin(5e-5));
  CHECK(exact().w_norm == Approx(2.420).margin(5e-4));
  const std::vector<int> summands{1, 2, 5, 10, 50, 200};
  const std::vector<double> series{3.511, 3.045, 2.570, 2.284, 2.014, 2.000};
  const std::vector<double> damping{3.052, 2.825, 2.497, 2.285, 2.041, 2.004};
  for (std::size_t i = 0; i < summands.size(); ++i) {
    const double k = summands[i];
    CAPTURE(k);
    CHECK(neumann(k).u_norm == Approx(series[i]).margin(6e-4));
    CHECK(damped(1 / (alpha() * k)).u_norm == Approx(damping[i]).margin(6e-4));
    if (i == 0) continue;
    CHECK(neumann(k).u_norm < neumann(summands[i - 1]).u_norm);
    CHECK(neumann(k).w_norm > neumann(summands[i - 1]).w_norm);
  }
  CHECK(neumann(1).w_norm == Approx(1.24).margin(5e-3));
  CHECK(neumann(10).w_norm == Approx(1.67).margin(5e-3));
  CHECK(neumann(50).w_norm == Approx(2.23).margin(5e-3));
  CHECK(neumann(20).u_norm == Approx(2.1101).margin(5e-5));
}

TEST_CASE("gradient descent by implicit differentiation ends where they say",
          "[implicit_bias]") {
  for (const int summands : {1, 2, 5, 10, 20, 50}) {
    CAPTURE(summands);
    const Direction expected = neumann(summands);
    const auto [u, w] = descended(
        {{"type", "neumann"}, {"terms", summands - 1}, {"scale", alpha()}},
        expected);
    CHECK(u == Approx(expected.u_norm).epsilon(1e-6));
    CHECK(w == Approx(expected.w_norm).epsilon(1e-5));
  }
  for (const double k : {2, 50}) {
    CAPTURE(k);
    const double epsilon = 1 / (alpha() * k);
    const Direction expected = damped(epsilon);
    for (const std::string type : {"dense", "minres"}) {
      CAPTURE(type);
      CHECK(descended({{"type", type}, {"damping", epsilon}}, expected).first ==
            Approx(expected.u_norm).epsilon(1e-6));
    }
  }
  // The Hessian is singular: 13 of its 61 eigenvalues are not zero.
  for (const std::string type : {"conjugate_gradient", "minres", "gmres"}) {
    CAPTURE(type);
    CHECK(descended(type, exact()).first == Approx(2.0).epsilon(1e-6));
  }
}

}  // namespace nestgrad
