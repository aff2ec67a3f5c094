#include "hypergrad/estimator.h"
#include "hypergrad/gradient_difference.h"
#include "tests/kit/bench.h"
#include "tests/support/ridge.h"

namespace nestgrad {
namespace {

ParameterSet first_gradient(const Json& json, const Bench& bench) {
  const auto estimator = estimator_of(json, bench);
  estimator->begin(bench.hyper, Key(1));
  return estimator->estimate(bench.hyper).gradient;
}

/// A problem whose training loss is multiplied by a hyperparameter "factor":
/// df/d factor is f, which is no quadratic function of the weights.
class Multiplied : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return hyper.at("factor") * problem().train_loss(weights, hyper, draw);
  }
};

Bench multiplied_bench(const Json& rule) {
  Bench bench;
  bench.problem = std::make_shared<Reparameterized>(
      std::make_shared<Multiplied>(std::make_shared<TinyNetwork>()),
      std::vector<HyperSpec>{
          {"weight_decay", at::scalar_tensor(0.05, float64()),
           Coordinates::log()},
          {"factor", at::scalar_tensor(1.5, float64()), Coordinates::log()}});
  bench.loop = std::make_unique<TrainingLoop>(
      bench.problem, OptimizerRegistry::instance().make(rule));
  bench.hyper = bench.problem->initial_hyper();
  return bench;
}

const Json kDescent = {{"type", "sgd"}, {"lr", 0.4}};

}  // namespace

TEST_CASE("differences of a gradient are exact for quadratic ones",
          "[first_order]") {
  const ParameterSet w{{"a", Key(1).normal(at::empty({5}, float64()))}};
  const ParameterSet v{{"a", Key(2).normal(at::empty({5}, float64()))}};
  const auto power = [](int n) {
    return [n](const ParameterSet& x) {
      return x.map([&](const Tensor& t) { return t.pow(n); });
    };
  };
  CHECK(relative_error(gradient_difference(power(2), w, v, 1.0),
                       2.0 * (w * v)) < 1e-14);
  // ((x + s)^3 - (x - s)^3) / 2 = 3 x^2 s + s^3
  const ParameterSet exact = 3.0 * (w * w * v);
  const double far =
      relative_error(gradient_difference(power(3), w, v, 0.1), exact);
  const double near =
      relative_error(gradient_difference(power(3), w, v, 0.01), exact);
  CHECK(far / near == Approx(100).epsilon(1e-6));
  CHECK(norm(gradient_difference(power(3), w, v.zeros(), 0.1)).item<double>() ==
        0);
}

TEST_CASE("products by differences approach exact ones with their square",
          "[first_order]") {
  const Bench bench = multiplied_bench({{"type", "adam"}, {"lr", 0.1}});
  // A method and the same without differences.
  const std::vector<std::pair<Json, Json>> pairs = {
      {{{"type", "one_step"}, {"products", "finite_difference"}},
       {{"type", "one_step"}, {"products", "exact"}}},
      {{{"type", "sama"}},
       {{"type", "ift"}, {"form", "fixed_point"}, {"solver", "identity"}}}};
  for (const auto& [differences, without] : pairs) {
    CAPTURE(differences.dump());
    const ParameterSet exact = first_gradient(without, bench);
    const auto error = [&, json = differences](double difference) {
      Json moved = json;
      moved["difference"] = difference;
      return relative_error(first_gradient(moved, bench), exact);
    };
    CHECK(error(0.1) / error(0.01) == Approx(100).epsilon(0.05));
    // A third derivative along a direction of length one is of order one here.
    CHECK(error(0.01) < 1e-3);  // the default
    CHECK(error(1e-4) < 1e-7);
  }
}

TEST_CASE("one look-ahead step is the scaled identity to first order",
          "[first_order]") {
  const Bench bench = multiplied_bench(kDescent);
  const auto apart = [&](double step) {
    const ParameterSet identity =
        first_gradient({{"type", "ift"},
                        {"window", 4},
                        {"solver", {{"type", "identity"}, {"scale", step}}}},
                       bench);
    return relative_error(
        first_gradient(
            {{"type", "one_step"}, {"window", 4}, {"lookahead", step}}, bench),
        identity);
  };
  // dL/dw at w' rather than at w.
  CHECK(apart(1e-3) / apart(1e-4) == Approx(10).epsilon(0.05));
  CHECK(apart(1e-4) < 1e-4);
}

TEST_CASE("sama is the fixed-point form with the identity, for every rule",
          "[first_order]") {
  // Of numbers of size 1 that are moved by 1e-6 for a difference.
  constexpr double kRounding = 1e-9;
  for (const Json& rule :
       {Json{{"type", "sgd"}, {"lr", "$lr"}},
        Json{{"type", "sgd"},
             {"lr", "$lr"},
             {"momentum", "$momentum"},
             {"nesterov", true},
             {"weight_decay", "$weight_decay"}},
        Json{{"type", "adam"}, {"lr", "$lr"}, {"beta1", "$momentum"}},
        Json{{"type", "adamw"}, {"lr", "$lr"}, {"weight_decay", 0.1}},
        Json{{"type", "rmsprop"}, {"lr", "$lr"}}}) {
    CAPTURE(rule.dump());
    const Bench bench = network_bench(rule);
    CHECK(
        relative_error(first_gradient({{"type", "sama"}, {"window", 4}}, bench),
                       first_gradient({{"type", "ift"},
                                       {"form", "fixed_point"},
                                       {"window", 4},
                                       {"solver", "identity"}},
                                      bench)) < kRounding);
  }
}

TEST_CASE("sama with gradient descent is one look-ahead step to first order",
          "[first_order]") {
  const auto apart = [](double lr) {
    const Bench bench = network_bench({{"type", "sgd"}, {"lr", lr}});
    return relative_error(
        first_gradient({{"type", "sama"}, {"window", 4}}, bench),
        first_gradient({{"type", "one_step"}, {"window", 4}, {"lookahead", lr}},
                       bench));
  };
  // lr times how much L bends.
  CHECK(apart(1e-3) / apart(1e-4) == Approx(10).epsilon(0.05));
  CHECK(apart(1e-5) < 1e-4);
}

TEST_CASE("the bias of the penalty method falls like 1 / penalty",
          "[first_order]") {
  for (const bool per_weight : {true, false}) {
    const Bench bench = ridge_bench(kDescent, per_weight);
    const Tensor expected = ridge_hypergradient(bench);
    const auto error = [&](double penalty) {
      return relative_error(
          first_gradient(
              {{"type", "f2sa"}, {"window", 400}, {"penalty", penalty}}, bench)
              .at("weight_decay"),
          expected);
    };
    CHECK(error(1e3) / error(1e4) == Approx(10).epsilon(0.01));
    CHECK(error(1e4) / error(1e5) == Approx(10).epsilon(0.01));
    CHECK(error(1e5) < 1e-4);
  }
}

TEST_CASE(
    "the penalty method approaches the implicit hypergradient of a network",
    "[first_order]") {
  const Bench bench =
      network_bench({{"type", "sgd"}, {"lr", 0.5}, {"momentum", 0.9}});
  const ParameterSet expected = first_gradient(
      {{"type", "ift"}, {"window", 2000}, {"solver", "dense"}}, bench);
  const auto error = [&](double penalty) {
    return relative_error(
        first_gradient(
            {{"type", "f2sa"}, {"window", 2000}, {"penalty", penalty}}, bench),
        expected);
  };
  CHECK(error(1e3) / error(1e4) == Approx(10).epsilon(0.1));
  CHECK(error(1e4) < 0.01);
}

TEST_CASE("the penalty grows from window to window and is saved",
          "[first_order]") {
  const Bench bench = ridge_bench(kDescent);
  const Json json = {{"type", "f2sa"},
                     {"window", 3},
                     {"penalty", 2},
                     {"penalty_growth", 0.5},
                     {"outer_steps_per_window", 2}};
  const auto original = estimator_of(json, bench);
  original->begin(bench.hyper, Key(1));
  const auto penalty = [&](HypergradientEstimator& estimator) {
    return estimator.estimate(bench.hyper).metrics.at("penalty");
  };
  CHECK(penalty(*original) == 2);
  CHECK(penalty(*original) == 2);
  CHECK(penalty(*original) == 2.5);
  const auto restored = estimator_of(json, bench);
  restore(*restored, save(*original));
  CHECK(penalty(*restored) == 2.5);
  CHECK(penalty(*restored) == 3);
  original->begin(bench.hyper, Key(1));
  CHECK(penalty(*original) == 2);
}

TEST_CASE("both weights of the penalty method see the same minibatches",
          "[first_order]") {
  const Bench bench = network_bench(kDescent, /*batch=*/4);
  const auto apart = [&](double penalty) {
    const auto estimator = estimator_of(
        {{"type", "f2sa"}, {"window", 50}, {"penalty", penalty}}, bench);
    estimator->begin(bench.hyper, Key(1));
    return estimator->estimate(bench.hyper).metrics.at("weights_apart");
  };
  CHECK(apart(1) > 0.1);
  CHECK(apart(1e12) < 1e-10);
}

TEST_CASE("soba becomes implicit differentiation while nothing else moves",
          "[first_order]") {
  const Bench bench = ridge_bench(kDescent);
  const Tensor expected = ridge_hypergradient(bench);
  for (const Json& scale : {Json("auto"), Json(0.5)}) {
    CAPTURE(scale.dump());
    const auto soba = estimator_of(
        {{"type", "soba"}, {"window", 20}, {"scale", scale}}, bench);
    soba->begin(bench.hyper, Key(1));
    Estimate got = soba->estimate(bench.hyper);
    CHECK(norm(got.gradient).item<double>() == 0);
    double before = 1;
    for (int i = 0; i < 5; ++i) {
      for (int j = 0; j < 20; ++j) got = soba->estimate(bench.hyper);
      const double error =
          relative_error(got.gradient.at("weight_decay"), expected);
      CHECK(error < std::max(0.1 * before, 1e-12));
      before = error;
    }
    CHECK(before < 1e-8);
    CHECK(got.status == Status::kOk);
    CHECK(got.metrics.at("residual") < 1e-8);
  }
}

TEST_CASE("soba with windows of one step is its three recursions",
          "[first_order]") {
  const Bench bench = ridge_bench(kDescent);
  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const auto& t = ridge.terms();
  const auto soba =
      estimator_of({{"type", "soba"}, {"window", 1}, {"scale", 0.7}}, bench);
  soba->begin(bench.hyper, Key(1));
  ParameterSet h = bench.hyper;
  Tensor w = at::zeros({12}, float64()), v = at::zeros({12}, float64());
  for (int i = 0; i < 6; ++i) {
    CAPTURE(i);
    const Tensor decay = h.at("weight_decay").exp();
    const Tensor hessian = t.a + at::diag(decay);
    w = w - 0.4 * (at::mv(hessian, w) - t.b);
    const Tensor outer = t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t);
    const Tensor expected = -decay * w * v;
    const ParameterSet got = soba->estimate(h).gradient;
    CHECK(at::allclose(got.at("weight_decay"), expected, 1e-12, 1e-14));
    v = v - 0.7 * (at::mv(hessian, v) - outer);
    h = add(h, -0.5, got).detach();
  }
}

TEST_CASE("the automatic scale of soba finds the largest eigenvalue",
          "[first_order]") {
  const Bench bench = ridge_bench(kDescent, /*per_weight=*/false);
  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const double largest =
      at::linalg_eigvalsh(ridge.terms().a)[11].item<double>() + std::exp(-2.0);
  const auto soba = estimator_of({{"type", "soba"}, {"window", 1}}, bench);
  soba->begin(bench.hyper, Key(1));
  // v is zero: no step is too long for it.
  soba->estimate(bench.hyper);
  Estimate got;
  for (int i = 0; i < 100; ++i) {
    got = soba->estimate(bench.hyper);
    CHECK(got.metrics.at("scale") < 2 / largest);
  }
  CHECK(got.metrics.at("scale") == Approx(1 / largest).epsilon(0.01));
}

TEST_CASE("a vector of soba that grows is reported, and given up at last",
          "[first_order]") {
  const Bench bench = ridge_bench(kDescent);
  const auto soba =
      estimator_of({{"type", "soba"}, {"window", 1}, {"scale", 5}}, bench);
  soba->begin(bench.hyper, Key(1));
  bool warned = false, diverged = false;
  for (int i = 0; i < 1000 && !diverged; ++i) {
    const Estimate got = soba->estimate(bench.hyper);
    diverged = got.status == Status::kDiverged;
    if (got.status == Status::kOk) continue;
    CHECK_THAT(got.trouble, ContainsSubstring("scale"));
    warned |= got.status == Status::kNotConverged;
  }
  CHECK(warned);
  CHECK(diverged);
}

}  // namespace nestgrad
