#include "hypergrad/solvers/inverse_hessian.h"
#include "tests/kit/bench.h"
#include "tests/support/ridge.h"

namespace nestgrad {
namespace {

// Float64 central differences with steps of 1e-5 are good to about 1e-9
// relative; 1e-6 leaves room for badly scaled entries and for nothing else.
constexpr double kTolerance = 1e-6;

const Json kMomentumRule = {
    {"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}};

/// Ridge, trained until w is w* to rounding.
const Json kConverging = {{"type", "sgd"}, {"lr", 0.9}};

}  // namespace

TEST_CASE("unrolling meets central differences in two windows in a row",
          "[exact]") {
  const std::vector<Json> rules = {
      kMomentumRule,
      {{"type", "sgd"},
       {"lr", "$lr"},
       {"momentum", "$momentum"},
       {"nesterov", true},
       {"weight_decay", 0.01}},
      {{"type", "adam"}, {"lr", "$lr"}},
      {{"type", "adamw"}, {"lr", "$lr"}, {"weight_decay", 0.1}},
      {{"type", "rmsprop"}, {"lr", "$lr"}, {"momentum", "$momentum"}}};
  for (const Json& rule : rules) {
    for (const std::int64_t horizon : {0, 12, 24}) {
      for (const bool network : {false, true}) {
        CAPTURE(rule.dump(), horizon, network);
        const Bench bench =
            network ? network_bench(rule, /*batch=*/4) : ridge_bench(rule);
        const Json cut = {{"window", 12}, {"horizon", horizon}};
        Json unrolled = cut, differences = cut;
        // The error of central differences falls with the square of the step.
        // RMSprop bends so much near zero gradients that 1e-5 is too long.
        differences["difference"] = 1e-6;
        unrolled["type"] = "unrolled";
        differences["type"] = "finite_difference";
        const auto exact = estimator_of(unrolled, bench);
        const auto reference = estimator_of(differences, bench);
        exact->begin(bench.hyper, Key(1));
        reference->begin(bench.hyper, Key(1));
        ParameterSet hyper = bench.hyper;
        for (int window = 0; window < 2; ++window) {
          const Estimate a = exact->estimate(hyper);
          const Estimate b = reference->estimate(hyper);
          CHECK(a.objective == Approx(b.objective).epsilon(1e-12));
          for (std::size_t i = 0; i < hyper.size(); ++i) {
            CAPTURE(window, hyper.name(i));
            CHECK(relative_error(a.gradient.tensors()[i],
                                 b.gradient.tensors()[i]) < kTolerance);
          }
          hyper = add(hyper, -0.1, a.gradient);
        }
      }
    }
  }
}

TEST_CASE("implicit differentiation is the closed form at the ridge optimum",
          "[exact]") {
  for (const bool per_weight : {true, false}) {
    const Bench bench = ridge_bench(kConverging, per_weight);
    const Tensor expected = ridge_hypergradient(bench);
    for (const Json& solver :
         {Json{{"type", "dense"}}, Json{{"type", "conjugate_gradient"}},
          Json{{"type", "neumann"}, {"terms", 200}}}) {
      for (const std::int64_t horizon : {0, 400}) {
        CAPTURE(per_weight, solver.dump(), horizon);
        const auto ift = estimator_of({{"type", "ift"},
                                       {"window", 400},
                                       {"horizon", horizon},
                                       {"solver", solver}},
                                      bench);
        ift->begin(bench.hyper, Key(1));
        for (int window = 0; window < 2; ++window) {
          const Estimate got = ift->estimate(bench.hyper);
          CHECK(got.status == Status::kOk);
          CHECK(relative_error(got.gradient.at("weight_decay"), expected) <
                kTolerance);
        }
      }
    }
  }
}

TEST_CASE(
    "implicit differentiation meets central differences of a long run of "
    "a network",
    "[exact]") {
  const Bench bench =
      network_bench({{"type", "sgd"}, {"lr", 0.5}, {"momentum", 0.9}});
  const Json cut = {{"window", 4000}, {"horizon", 4000}};
  Json differences = cut;
  differences["type"] = "finite_difference";
  const auto reference = estimator_of(differences, bench);
  reference->begin(bench.hyper, Key(1));
  const Estimate expected = reference->estimate(bench.hyper);
  for (const Json& solver :
       {Json{{"type", "dense"}},
        Json{{"type", "conjugate_gradient"}, {"iterations", 200}}}) {
    CAPTURE(solver.dump());
    Json json = cut;
    json["type"] = "ift";
    json["solver"] = solver;
    const auto ift = estimator_of(json, bench);
    ift->begin(bench.hyper, Key(1));
    const Estimate got = ift->estimate(bench.hyper);
    CHECK(got.objective == Approx(expected.objective).epsilon(1e-12));
    CHECK(relative_error(got.gradient, expected.gradient) < kTolerance);
  }
}

TEST_CASE(
    "the fixed-point form agrees with the closed form, with momentum, too",
    "[exact]") {
  for (const Json& rule : {kConverging, kMomentumRule}) {
    for (const Json& solver :
         {Json{{"type", "dense"}},
          Json{{"type", "neumann"}, {"terms", 2000}, {"scale", 1}}}) {
      CAPTURE(rule.dump(), solver.dump());
      const Bench bench = ridge_bench(rule);
      const auto ift = estimator_of({{"type", "ift"},
                                     {"form", "fixed_point"},
                                     {"window", 1500},
                                     {"solver", solver}},
                                    bench);
      ift->begin(bench.hyper, Key(1));
      const Estimate got = ift->estimate(bench.hyper);
      CHECK(relative_error(got.gradient.at("weight_decay"),
                           ridge_hypergradient(bench)) < kTolerance);
      // Where the rule ends does not depend on its learning rate or momentum.
      for (std::size_t i = 1; i < bench.hyper.size(); ++i) {
        CHECK(got.gradient.tensors()[i].abs().item<double>() < 1e-9);
      }
    }
  }
}

TEST_CASE(
    "away from the optimum the fixed-point form gives the learning rate "
    "the gradient of one step carried on for ever",
    "[exact]") {
  // With w_T short of w*, F = w - step(w, lr) = lr grad, so that
  // dL/dlr = -(dL/dw)' (lr H)^-1 grad, here with H written out.
  const Json rule = {{"type", "sgd"}, {"lr", "$lr"}};
  const Bench bench = ridge_bench(rule);
  const auto ift = estimator_of({{"type", "ift"},
                                 {"form", "fixed_point"},
                                 {"window", 3},
                                 {"solver", "dense"}},
                                bench);
  ift->begin(bench.hyper, Key(1));
  const Estimate got = ift->estimate(bench.hyper);

  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const auto& t = ridge.terms();
  const double lr = 0.1;
  const Tensor h = t.a + std::exp(-2.0) * at::eye(12, float64());
  Tensor w = at::zeros({12}, float64());
  for (int i = 0; i < 3; ++i) w = w - lr * (at::mv(h, w) - t.b);
  const Tensor outer = t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t);
  const double per_lr =
      -at::dot(outer, at::linalg_solve(lr * h, at::mv(h, w) - t.b))
           .item<double>();
  CHECK(got.gradient.at("lr").item<double>() ==
        Approx(lr * per_lr).epsilon(1e-10));
}

TEST_CASE("K Neumann terms equal unrolling K + 1 steps from the optimum",
          "[exact]") {
  const double alpha = 0.3;
  const Bench bench = ridge_bench({{"type", "sgd"}, {"lr", alpha}});
  for (const int terms : {0, 1, 5, 20}) {
    CAPTURE(terms);
    // Both estimators at w*: first a window that converges, at every turn.
    const auto ift = estimator_of(
        {{"type", "ift"},
         {"window", 1500},
         {"solver", {{"type", "neumann"}, {"terms", terms}, {"scale", alpha}}}},
        bench);
    ift->begin(bench.hyper, Key(1));
    const Estimate neumann = ift->estimate(bench.hyper);
    Snapshot at_optimum = save(*ift);

    const auto unrolled =
        estimator_of({{"type", "unrolled"}, {"window", terms + 1}}, bench);
    unrolled->begin(bench.hyper, Key(1));
    // Move the unrolled run to the same weights, in its own flat form.
    Snapshot snapshot = save(*unrolled);
    snapshot.sets.at("run/state/weights") = ParameterSet{
        {"weights", at_optimum.sets.at("run/state/weights").flatten()}};
    snapshot.integers.at("run/episode") = 0;
    restore(*unrolled, snapshot);
    CHECK(relative_error(neumann.gradient,
                         unrolled->estimate(bench.hyper).gradient) < 1e-13);
  }
}

TEST_CASE(
    "the errors of truncated inverses on ridge are those published for "
    "this experiment",
    "[exact]") {
  // 50 examples, 12 features, one decay per weight, all exp(-2), w = w*,
  // alpha = 1 / lambda_max; LibTorch's generator from seed 0.
  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const auto& t = ridge.terms();
  const ParameterSet natural{
      {"weight_decay", at::full({12}, std::exp(-2.0), float64())}};
  const Tensor h = t.a + std::exp(-2.0) * at::eye(12, float64());
  const Tensor spectrum = at::linalg_eigvalsh(h);
  CHECK(spectrum[0].item<double>() == Approx(0.447).margin(5e-4));
  CHECK(spectrum[11].item<double>() == Approx(2.09).margin(5e-3));

  const Tensor w = ridge.solution(natural);
  const ParameterSet outer{
      {"w", t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t)}};
  const LinearMap map = [&](const ParameterSet& v) {
    return v.with({at::mv(h, v.at("w"))});
  };
  const ParameterSet exact = ridge.hypergradient(natural);
  const auto error = [&](const Json& solver) {
    const Solution q =
        InverseHessianRegistry::instance().make(solver)->solve(map, outer);
    return relative_error(-w * q.x.at("w"), exact.at("weight_decay"));
  };
  const double alpha = 1 / spectrum[11].item<double>();
  const auto neumann = [&](int terms, double scale) {
    return error({{"type", "neumann"}, {"terms", terms}, {"scale", scale}});
  };
  // Each to the digits that are given.
  CHECK(neumann(0, alpha) == Approx(0.68).margin(0.005));
  CHECK(neumann(1, alpha) == Approx(0.49).margin(0.005));
  CHECK(neumann(2, alpha) == Approx(0.37).margin(0.005));
  CHECK(neumann(5, alpha) == Approx(0.167).margin(0.0005));
  CHECK(neumann(10, alpha) == Approx(0.049).margin(0.0005));
  CHECK(neumann(20, alpha) == Approx(4.4e-3).margin(0.5e-4));
  CHECK(neumann(50, alpha) == Approx(3.2e-6).margin(0.5e-7));
  CHECK(neumann(100, alpha) == Approx(1.9e-11).margin(0.5e-12));
  CHECK(neumann(50, 2.2 * alpha) == Approx(343).margin(0.5));
  const auto cg = [&](int iterations) {
    return error({{"type", "conjugate_gradient"},
                  {"iterations", iterations},
                  {"tolerance", 0}});
  };
  CHECK(cg(1) == Approx(0.375).margin(0.0005));
  CHECK(cg(3) == Approx(1.65e-2).margin(0.5e-4));
  CHECK(cg(5) == Approx(1.9e-3).margin(0.5e-4));
  CHECK(cg(12) < 1e-14);
  // The identity points where the first Neumann summand does.
  const Solution q = InverseHessianRegistry::instance()
                         .make(Json{{"type", "identity"}})
                         ->solve(map, outer);
  const Tensor estimate = -w * q.x.at("w");
  const Tensor& truth = exact.at("weight_decay");
  CHECK((at::dot(estimate, truth) / (estimate.norm() * truth.norm()))
            .item<double>() == Approx(0.969).margin(0.0005));
}

TEST_CASE("the errors of damped inverses on ridge are those published, too",
          "[exact]") {
  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const auto& t = ridge.terms();
  const ParameterSet natural{
      {"weight_decay", at::full({12}, std::exp(-2.0), float64())}};
  const Tensor h = t.a + std::exp(-2.0) * at::eye(12, float64());
  const Tensor w = ridge.solution(natural);
  const Tensor outer = t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t);
  const auto error = [&](double damping) {
    const Tensor damped = h + damping * at::eye(12, float64());
    return relative_error(-w * at::linalg_solve(damped, outer),
                          ridge.hypergradient(natural).at("weight_decay"));
  };
  CHECK(error(0.01) == Approx(1.8e-2).margin(0.5e-3));
  CHECK(error(0.1) == Approx(0.15).margin(0.005));
  CHECK(error(1) == Approx(0.62).margin(0.005));
}

TEST_CASE("a solver for symmetric systems is refused in the fixed-point form",
          "[exact]") {
  const Bench bench = ridge_bench(kConverging);
  CHECK_THROWS_WITH(estimator_of({{"type", "ift"},
                                  {"form", "fixed_point"},
                                  {"solver", "conjugate_gradient"}},
                                 bench),
                    ContainsSubstring("symmetric"));
}

TEST_CASE("finite differences refuse more hyperparameters than their limit",
          "[exact]") {
  const Bench bench = ridge_bench(kConverging);
  const auto estimator =
      estimator_of({{"type", "finite_difference"}, {"limit", 5}}, bench);
  CHECK_THROWS_WITH(
      estimator->begin(bench.hyper, Key(1)),
      ContainsSubstring("limited to 5 hyperparameters, there are 12"));
}

}  // namespace nestgrad
