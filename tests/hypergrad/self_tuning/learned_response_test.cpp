// What self-tuning networks learn, against closed forms.

#include "core/tensor/autodiff.h"
#include "hypergrad/self_tuning/response_problem.h"
#include "tests/hypergrad/self_tuning/methods.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

double relative(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

/// Ridge regression with one decay exp(h), and what self-tuning networks with
/// any affine response w + J u learn there when h is perturbed by u ~ N(0,
/// s^2). The training loss has the gradient (A + exp(h + u)) (w + J u) - b in
/// w, so with m_k = E[exp(h + u) u^k] its mean, and its mean times u, vanish at
///
///   (A + m_0) w + m_1 J = b,     m_1 w + (s^2 A + m_2) J = 0.
///
/// The first fixes the weights of STN; those of Delta-STN solve the problem at
/// h itself. Both have the slope of the second.
struct AffineRidge {
  AffineRidge()
      : ridge(
            std::make_shared<Quadratic>(ridge_terms({40, 30, 8}, float64()))) {}

  Tensor a() const { return ridge->terms().a; }
  Tensor eye() const { return at::eye(8, float64()); }

  /// E[exp(h + u) u^k].
  double moment(int k) const {
    const double s2 = deviation * deviation;
    const double factor = k == 0 ? 1 : k == 1 ? s2 : s2 + s2 * s2;
    return factor * std::exp(h + s2 / 2);
  }

  Tensor slope_at(const Tensor& w) const {
    const Tensor matrix = deviation * deviation * a() + moment(2) * eye();
    return -moment(1) * at::linalg_solve(matrix, w);
  }

  Tensor stn_weights() const {
    // J as a matrix times w.
    const Tensor matrix = deviation * deviation * a() + moment(2) * eye();
    const Tensor j = -moment(1) * at::inverse(matrix);
    return at::linalg_solve(a() + moment(0) * eye() + moment(1) * j,
                            ridge->terms().b);
  }

  Tensor best() const {
    return at::linalg_solve(a() + std::exp(h) * eye(), ridge->terms().b);
  }

  Tensor best_slope() const {
    return -std::exp(h) * at::linalg_solve(a() + std::exp(h) * eye(), best());
  }

  /// d valid_loss / dw.
  Tensor outer(const Tensor& w) const {
    const Quadratic::Terms& t = ridge->terms();
    return t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t);
  }

  std::shared_ptr<Quadratic> ridge;
  double h = 0;
  double deviation = 1;
};

/// Means over the last windows of long training: for a loss that is quadratic
/// in what is trained, the mean iterate of gradient descent with noise is
/// where the mean gradient vanishes.
struct Learned {
  Tensor weights;
  Tensor slope;  // of the response
  double gradient = 0;
};

Learned learn(const std::string& method, const AffineRidge& expected,
              const Json& other_keys = Json::object()) {
  const Bench bench = with_rule(
      expected.ridge, at::scalar_tensor(std::exp(expected.h), float64()),
      {{"type", "sgd"}, {"lr", 0.1}});
  Json section{
      {"type", method},
      {"window", 5},
      {"warm_up", 200},
      {"response", "affine"},
      {"draws", 8},
      {"perturbation", {{"initial", expected.deviation}, {"learned", false}}}};
  section.update(other_keys);
  const auto estimator = make(section, *bench.loop);
  estimator->begin(bench.hyper, Key(3));
  Learned mean{at::zeros({8}, float64()), at::zeros({8}, float64())};
  constexpr int kWindows = 1500;
  for (int i = 0; i < kWindows; ++i) {
    mean.gradient +=
        estimator->estimate(bench.hyper).gradient.flatten().item<double>() /
        kWindows;
    mean.weights += estimator->weights(bench.hyper).flatten() / kWindows;
    mean.slope +=
        save(*estimator).sets.at("run/state/weights").subset("map/").flatten() /
        kWindows;
  }
  return mean;
}

}  // namespace

TEST_CASE(
    "on ridge the weights of stn are biased as far as theory says, and "
    "those of delta_stn are not",
    "[stn]") {
  const AffineRidge expected;
  // METHODS: 3 % at deviation 1.
  const double bias = relative(expected.stn_weights(), expected.best());
  CHECK(bias > 0.015);
  CHECK(bias < 0.06);
  const Learned stn = learn("stn", expected),
                delta = learn("delta_stn", expected);
  CHECK(relative(stn.weights, expected.stn_weights()) < 0.1 * bias);
  CHECK(relative(stn.weights, expected.best()) > 0.8 * bias);
  CHECK(relative(delta.weights, expected.best()) < 1e-8);

  // So are the slopes of the two responses, and both hypergradients.
  CHECK(relative(stn.slope, expected.slope_at(expected.stn_weights())) < 0.05);
  CHECK(relative(delta.slope, expected.slope_at(expected.best())) < 0.05);
  const auto slope = [&](const Tensor& w) {
    return at::dot(expected.outer(w), expected.slope_at(w)).item<double>();
  };
  CHECK(stn.gradient == Approx(slope(expected.stn_weights())).epsilon(0.03));
  CHECK(delta.gradient == Approx(slope(expected.best())).epsilon(0.03));
  // Which is far from the truth at such a deviation, but not elsewhere.
  const double truth =
      at::dot(expected.outer(expected.best()), expected.best_slope())
          .item<double>();
  CHECK(std::abs(delta.gradient / truth - 1) > 0.1);
}

TEST_CASE(
    "on ridge both hypergradients come close to the truth as the noise "
    "gets small",
    "[stn]") {
  AffineRidge expected;
  expected.deviation = 0.1;
  const double truth =
      at::dot(expected.outer(expected.best()), expected.best_slope())
          .item<double>();
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const Learned learned = learn(method, expected);
    CHECK(learned.gradient == Approx(truth).epsilon(0.03));
    CHECK(relative(learned.slope, expected.best_slope()) < 0.1);
  }
}

TEST_CASE(
    "with the origin zero the response of stn is given the coordinates "
    "themselves, otherwise their distance from the start",
    "[stn]") {
  const Bench bench = network_bench({{"type", "sgd"}, {"lr", 0.1}});
  const double start = std::log(0.05);  // in log coordinates
  for (const bool zero : {false, true}) {
    CAPTURE(zero);
    const auto estimator = make({{"type", "stn"},
                                 {"window", 5},
                                 {"response", "affine"},
                                 {"origin", zero ? "zero" : "start"}},
                                *bench.loop);
    estimator->begin(bench.hyper, Key(3));
    for (int i = 0; i < 3; ++i) estimator->estimate(bench.hyper);
    const ParameterSet learned = save(*estimator).sets.at("run/state/weights");
    const Tensor base = learned.subset("base/").flatten();
    const Tensor slope = learned.at("map/jacobian").select(1, 0);
    REQUIRE(slope.norm().item<double>() > 1e-4);
    for (const double moved : {0.0, 0.4}) {
      const ParameterSet hyper =
          bench.hyper.map([&](const Tensor& t) { return t + moved; });
      const double u = moved + (zero ? start : 0);
      CHECK(relative(estimator->weights(hyper).flatten(), base + u * slope) <
            1e-12);
    }
  }
}

TEST_CASE("stn learns the same function from either origin", "[stn]") {
  AffineRidge expected;
  expected.h = 0.7;
  expected.deviation = 0.5;
  const double bias = relative(expected.stn_weights(), expected.best());
  for (const char* origin : {"start", "zero"}) {
    CAPTURE(origin);
    const Learned learned = learn("stn", expected, {{"origin", origin}});
    CHECK(relative(learned.weights, expected.stn_weights()) < 0.2 * bias);
    CHECK(relative(learned.slope, expected.slope_at(expected.stn_weights())) <
          0.05);
  }
}

TEST_CASE("delta_stn trains the same weights as plain training", "[stn]") {
  const Bench bench = network_bench({{"type", "adam"}, {"lr", 0.05}}, 4);
  const auto estimator =
      make({{"type", "delta_stn"}, {"window", 20}}, *bench.loop);
  estimator->begin(bench.hyper, Key(3));
  InnerRun plain(*bench.loop, {20});
  plain.begin(bench.hyper, Key(3));
  for (int i = 0; i < 3; ++i) {
    estimator->estimate(bench.hyper);
    plain.advance(bench.hyper);
    CHECK(at::allclose(estimator->weights(bench.hyper).flatten(),
                       plain.state().weights.flatten(), 1e-12, 1e-12));
  }
}

TEST_CASE(
    "every response of a network comes close to the implicit "
    "hypergradient, with a linear model that of Gauss and Newton",
    "[stn]") {
  const Bench bench = network_bench({{"type", "adam"}, {"lr", 0.02}});
  // At the optimum.
  const auto implicit = [&](const char* hessian) {
    const auto exact =
        make({{"type", "ift"},
              {"window", 2000},
              {"solver", {{"type", "dense"}, {"hessian", hessian}}}},
             *bench.loop);
    exact->begin(bench.hyper, Key(3));
    return exact->estimate(bench.hyper).gradient.flatten().item<double>();
  };
  const double truth = implicit("exact"),
               gauss_newton = implicit("gauss_newton");
  REQUIRE(std::abs(gauss_newton / truth - 1) > 0.2);
  const auto learned = [&](Json json) {
    json["window"] = 2000;
    json["draws"] = 2;
    json["perturbation"] = {{"initial", 0.3}, {"learned", false}};
    const auto estimator = make(json, *bench.loop);
    estimator->begin(bench.hyper, Key(3));
    return estimator->estimate(bench.hyper).gradient.flatten().item<double>();
  };
  for (const std::string& name : ResponseRegistry::instance().names()) {
    CAPTURE(name);
    CHECK(learned({{"type", "stn"}, {"response", name}}) ==
          Approx(truth).epsilon(0.15));
    CHECK(learned({{"type", "delta_stn"}, {"response", name}}) ==
          Approx(gauss_newton).epsilon(0.15));
    CHECK(learned({{"type", "delta_stn"},
                   {"response", name},
                   {"linearize", false}}) == Approx(truth).epsilon(0.15));
  }
}

}  // namespace nestgrad
