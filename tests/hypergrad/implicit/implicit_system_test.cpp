#include "hypergrad/implicit/implicit_system.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/tensor/autodiff.h"
#include "tests/kit/bench.h"
#include "tests/support/counting_problem.h"

namespace nestgrad {
namespace {

const Json kRule = {{"type", "sgd"}, {"lr", 0.5}};

const HessianOptions kExact{};
const HessianOptions kGaussNewton{0, /*gauss_newton=*/true, false};
const HessianOptions kDifferences{0, false, /*finite_difference=*/true};
const HessianOptions kBoth{0, true, true};

/// A run of this number of steps.
InnerRun trained(const Bench& bench, std::int64_t steps) {
  Truncation truncation;
  truncation.window = steps;
  InnerRun run(*bench.loop, truncation);
  run.begin(bench.hyper, Key(7));
  if (steps > 0) run.advance(bench.hyper);
  return run;
}

ImplicitSystem system_of(const InnerRun& run, const Bench& bench,
                         const HessianOptions& options) {
  return ImplicitSystem::stationarity(run, bench.hyper, options);
}

/// d out_k / d wrt, row by row, [k, n].
Tensor jacobian(const Tensor& out, const ParameterSet& wrt) {
  std::vector<Tensor> rows;
  for (std::int64_t k = 0; k < out.numel(); ++k) {
    rows.push_back(
        gradient(out.reshape(-1)[k], wrt, Tape::kOff, Graph::kKeep).flatten());
  }
  return at::stack(rows, 0);
}

double smallest_eigenvalue(const Tensor& a) {
  return at::linalg_eigvalsh((a + a.t()) / 2)[0].item<double>();
}

/// x -> tanh(x), to be differentiated once.
class TanhOnce : public torch::autograd::Function<TanhOnce> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context,
                        const Tensor& x) {
    const Tensor y = x.tanh();
    context->save_for_backward({y});
    return y;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      const torch::autograd::variable_list& gradient) {
    require(!at::GradMode::is_enabled(), "there is no second derivative");
    const Tensor y = context->get_saved_variables()[0];
    return {gradient[0] * (1 - y * y)};
  }
};

/// train_loss = |o - y|^2 / 2 + decay |w|^2 / 2, o = (1 + decay) tanh(X w),
/// with a tanh that may lack its second derivative.
class Saturating : public BilevelProblem {
 public:
  explicit Saturating(bool once) : once_(once) {}

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "weight_decay";
    decay.initial = at::scalar_tensor(0.3, float64());
    return {decay};
  }
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {{"w", key.normal(at::empty({4}, float64()))}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return output_loss(outputs(weights, hyper, draw), hyper, draw) +
           0.5 * hyper.at("weight_decay") * dot(weights, weights);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return (weights.at("w") - 1).square().sum();
  }
  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.outputs = true;
    return out;
  }
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw&) const override {
    const Tensor x = at::mv(x_, weights.at("w"));
    const Tensor y = once_ ? TanhOnce::apply(x) : x.tanh();
    return (1 + hyper.at("weight_decay")) * y;
  }
  Tensor output_loss(const Tensor& outputs, const ParameterSet&,
                     const Draw&) const override {
    return 0.5 * (outputs - y_).square().sum();
  }

 private:
  bool once_;
  Tensor x_ = Key(51).normal(at::empty({6, 4}, float64()));
  Tensor y_ = Key(52).normal(at::empty({6}, float64()));
};

Bench saturating_bench(bool once) {
  return with_rule(std::make_shared<Saturating>(once),
                   at::scalar_tensor(0.3, float64()),
                   {{"type", "sgd"}, {"lr", 0.05}});
}

std::unique_ptr<HypergradientEstimator> ift(const Bench& bench, Json solver,
                                            const Json& more = {}) {
  Json json = {{"type", "ift"}, {"window", 300}, {"solver", std::move(solver)}};
  if (!more.is_null()) json.update(more);
  return EstimatorRegistry::instance().make(json, *bench.loop);
}

}  // namespace

TEST_CASE("products with the matrix of a stationarity condition are symmetric",
          "[implicit_system]") {
  for (const std::int64_t steps : {0, 50}) {
    for (const HessianOptions& options :
         {kExact, kGaussNewton, kDifferences, kBoth}) {
      CAPTURE(steps, options.gauss_newton, options.finite_difference);
      const Bench bench = network_bench(kRule, /*batch=*/4);
      const InnerRun run = trained(bench, steps);
      const LinearMap a = system_of(run, bench, options).transposed();
      const ParameterSet u = Key(61).normal(run.state().weights);
      const ParameterSet v = Key(62).normal(run.state().weights);
      const double uav = dot(u, a(v)).item<double>();
      const double vau = dot(v, a(u)).item<double>();
      const double size = (norm(u) * norm(a(v))).item<double>();
      CHECK(std::abs(uav - vau) <
            (options.finite_difference ? 1e-8 : 1e-14) * size);
    }
  }
}

TEST_CASE("products by central differences are those by differentiating twice",
          "[implicit_system]") {
  for (const bool gauss_newton : {false, true}) {
    CAPTURE(gauss_newton);
    const Bench bench = network_bench(kRule, /*batch=*/4);
    const InnerRun run = trained(bench, 50);
    HessianOptions options;
    options.gauss_newton = gauss_newton;
    const ImplicitSystem exact = system_of(run, bench, options);
    options.finite_difference = true;
    const ImplicitSystem differences = system_of(run, bench, options);
    CHECK(relative_error(differences.matrix(), exact.matrix()) < 1e-8);
    CHECK(at::equal(differences.residual().flatten(),
                    exact.residual().flatten()));
    const ParameterSet q = Key(63).normal(run.state().weights);
    // The length of a direction does not matter.
    for (const double length : {1e-6, 1.0, 1e6}) {
      CAPTURE(length);
      CHECK(relative_error(differences.hyper_transposed(length * q),
                           length * exact.hyper_transposed(q)) < 1e-8);
    }
    CHECK(norm(differences.transposed()(q.zeros())).item<double>() == 0);
  }
}

TEST_CASE("the Gauss-Newton matrix of a linear model is its Hessian",
          "[implicit_system]") {
  for (const bool per_weight : {true, false}) {
    const Bench bench = ridge_bench(kRule, per_weight);
    const InnerRun run = trained(bench, 5);
    CHECK(relative_error(system_of(run, bench, kGaussNewton).matrix(),
                         system_of(run, bench, kExact).matrix()) < 1e-14);
  }
}

TEST_CASE("the Gauss-Newton matrix is J'HJ where the Hessian is indefinite",
          "[implicit_system]") {
  const Bench bench = network_bench(kRule, /*batch=*/4);
  const InnerRun run = trained(bench, 0);
  const Tensor hessian = system_of(run, bench, kExact).matrix();
  const ImplicitSystem system = system_of(run, bench, kGaussNewton);
  const Tensor got = system.matrix();
  CHECK(smallest_eigenvalue(hessian) < -1e-3);
  CHECK(smallest_eigenvalue(got) > 0.05 - 1e-12);  // the decay

  const Draw draw = run.draw("implicit");
  const ParameterSet w = run.state().weights.leaves();
  const Tensor o = bench.problem->outputs(w, bench.hyper, draw);
  const Tensor j = jacobian(o, w);
  const ParameterSet leaf = ParameterSet{{"o", o.detach()}}.leaves();
  const Tensor slope =
      gradient(bench.problem->output_loss(leaf.at("o"), bench.hyper, draw),
               leaf, Tape::kOn)
          .flatten();
  const Tensor expected = at::mm(j.t(), at::mm(jacobian(slope, leaf), j)) +
                          0.05 * at::eye(w.numel(), float64());
  CHECK(relative_error(got, expected) < 1e-13);
}

TEST_CASE("Gauss-Newton leaves the condition and its derivative by h alone",
          "[implicit_system]") {
  const Bench bench = saturating_bench(/*once=*/false);
  const InnerRun run = trained(bench, 3);
  const ImplicitSystem exact = system_of(run, bench, kExact);
  const ImplicitSystem system = system_of(run, bench, kGaussNewton);
  const ParameterSet q = Key(64).normal(run.state().weights);
  CHECK(relative_error(system.matrix(), exact.matrix()) > 1e-2);
  CHECK(at::equal(system.residual().flatten(), exact.residual().flatten()));
  CHECK(at::equal(system.hyper_transposed(q).flatten(),
                  exact.hyper_transposed(q).flatten()));
}

TEST_CASE("implicit differentiation takes the matrix that its solver names",
          "[implicit_system]") {
  const Bench bench = network_bench(kRule);
  const InnerRun run = trained(bench, 300);
  const ParameterSet w = run.state().weights.leaves();
  const ParameterSet h = bench.hyper.leaves();
  const Partials direct =
      partials(bench.problem->valid_loss(w, h, run.draw("valid")), w, h);
  const Tensor b = direct.weights.flatten();
  for (const std::string hessian : {"exact", "gauss_newton"}) {
    for (const std::string products : {"exact", "finite_difference"}) {
      CAPTURE(hessian, products);
      const ImplicitSystem system =
          system_of(run, bench, hessian == "exact" ? kExact : kGaussNewton);
      const Tensor damped =
          system.matrix() + 0.1 * at::eye(b.numel(), float64());
      const ParameterSet q = w.unflatten(at::linalg_solve(damped, b));
      const ParameterSet expected =
          direct.hyper - system.hyper_transposed(q.detach());
      const auto estimator = ift(bench, {{"type", "dense"},
                                         {"damping", 0.1},
                                         {"hessian", hessian},
                                         {"products", products}});
      estimator->begin(bench.hyper, Key(7));
      const Estimate got = estimator->estimate(bench.hyper);
      CHECK(got.status == Status::kOk);
      CHECK(relative_error(got.gradient, expected) <
            (products == "exact" ? 1e-12 : 1e-7));
    }
  }
}

TEST_CASE("ift gives the derivative of its claim with every inverse Hessian",
          "[implicit_system]") {
  const Bench bench = network_bench(kRule, /*batch=*/4);
  const auto judge = [&](const Json& solver, double tolerance) {
    CAPTURE(solver.dump());
    const auto estimator = ift(bench, solver, {{"window", 20}});
    estimator->begin(bench.hyper, Key(7));
    estimator->estimate(bench.hyper);
    const Estimate got = estimator->estimate(bench.hyper);  // has a guess
    const Objective claim = estimator->claim();
    const double step = 1e-5;
    const auto at = [&](double shift) {
      return claim({{"weight_decay", bench.hyper.at("weight_decay") + shift}});
    };
    const double expected = (at(step) - at(-step)) / (2 * step);
    CHECK(got.gradient.at("weight_decay").item<double>() ==
          Approx(expected).epsilon(tolerance));
  };
  for (const std::string& name : InverseHessianRegistry::instance().names()) {
    judge({{"type", name}, {"damping", 0.1}}, 1e-7);
    judge({{"type", name}, {"hessian", "gauss_newton"}}, 1e-7);
    judge({{"type", name}, {"products", "finite_difference"}}, 1e-5);
  }
  judge({{"type", "conjugate_gradient"}, {"iterations", 4}}, 1e-7);
  judge({{"type", "conjugate_gradient"},
         {"iterations", 4},
         {"warm_start", true},
         {"preconditioner", "diagonal"}},
        1e-7);
  judge({{"type", "minres"}, {"iterations", 4}, {"warm_start", true}}, 1e-7);
  judge({{"type", "gmres"}, {"iterations", 7}, {"restart", 3}}, 1e-7);
  judge({{"type", "nystrom"}, {"rank", 5}}, 1e-7);
}

TEST_CASE("models without a second derivative are served by differences",
          "[implicit_system]") {
  const Bench smooth = saturating_bench(/*once=*/false);
  const Bench once = saturating_bench(/*once=*/true);
  for (const std::string hessian : {"exact", "gauss_newton"}) {
    CAPTURE(hessian);
    Json solver = {{"type", "minres"}, {"hessian", hessian}};
    const auto twice = ift(once, solver);
    twice->begin(once.hyper, Key(7));
    CHECK_THROWS_WITH(twice->estimate(once.hyper),
                      ContainsSubstring("no second derivative"));

    const auto reference = ift(smooth, solver);
    reference->begin(smooth.hyper, Key(7));
    solver["products"] = "finite_difference";
    solver["tolerance"] = 1e-7;  // the products are as good as that
    const auto estimator = ift(once, solver);
    estimator->begin(once.hyper, Key(7));
    const Estimate got = estimator->estimate(once.hyper);
    CHECK(got.status == Status::kOk);
    CHECK(relative_error(got.gradient,
                         reference->estimate(smooth.hyper).gradient) < 1e-7);
  }
}

TEST_CASE("a matrix that cannot be had is refused with the place and a way out",
          "[implicit_system]") {
  const auto refused = [](const Bench& bench, const Json& solver,
                          const Json& more) -> std::string {
    try {
      ift(bench, solver, more);
    } catch (const ConfigError& error) {
      return error.complaints().front().where + " " +
             error.complaints().front().what;
    }
    return "";
  };
  const Bench network = network_bench(kRule);
  const Json fixed_point = {{"form", "fixed_point"}};
  CHECK_THAT(
      refused(network, {{"type", "gmres"}, {"products", "finite_difference"}},
              fixed_point),
      ContainsSubstring("/solver/products must be exact") &&
          ContainsSubstring("take the form \"stationarity\""));
  CHECK_THAT(refused(network, {{"type", "gmres"}, {"hessian", "gauss_newton"}},
                     fixed_point),
             ContainsSubstring("/solver/hessian must be exact") &&
                 ContainsSubstring("take the form \"stationarity\""));
  CHECK_THAT(refused(network, "minres", fixed_point),
             ContainsSubstring("dense") && ContainsSubstring("gmres") &&
                 !ContainsSubstring("conjugate_gradient"));

  CountingBench counting;
  Bench plain;
  plain.problem = counting.problem;
  plain.loop = std::make_unique<TrainingLoop>(counting.loop);
  CHECK_THAT(
      refused(plain, {{"type", "minres"}, {"hessian", "gauss_newton"}}, {}),
      ContainsSubstring("/solver/hessian must be exact here") &&
          ContainsSubstring("take \"damping\""));
  CHECK(refused(network, {{"type", "minres"}, {"hessian", "gauss_newton"}}, {})
            .empty());
}

TEST_CASE("gmres solves the fixed-point form with momentum",
          "[implicit_system]") {
  const Json rule = {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}};
  const Bench bench = ridge_bench(rule);
  const Json fixed_point = {{"form", "fixed_point"}};
  const auto estimate = [&](const Json& solver) {
    const auto estimator = ift(bench, solver, fixed_point);
    estimator->begin(bench.hyper, Key(7));
    return estimator->estimate(bench.hyper);
  };
  const Estimate expected = estimate("dense");
  const Estimate got =
      estimate({{"type", "gmres"}, {"iterations", 30}, {"restart", 30}});
  CHECK(got.status == Status::kOk);
  CHECK(relative_error(got.gradient, expected.gradient) < 1e-8);
  CHECK(got.metrics.at("products") < 30);
}

}  // namespace nestgrad
