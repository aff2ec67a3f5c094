// Methods with one fault each, and `nestgrad check`, which must find it. They
// live in a program of their own, so that no other test takes them for methods.

#include "core/platform/memory_meter.h"
#include "experiments/judge/check.h"
#include "experiments/setup/experiment.h"
#include "hypergrad/implicit/implicit_system.h"
#include "hypergrad/unrolled/window_estimator.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// The Neumann series, right in its formula and in what it does but for one
/// thing.
class FaultyNeumann : public InverseHessian {
 public:
  explicit FaultyNeumann(const Config& config)
      : InverseHessian(config), fault_(config.text("fault")) {}

  static Schema schema() {
    return Schema("A Neumann series of 5 terms with scale 0.2.")
        .choice("fault", "none", "What is wrong.",
                {"none", "missing_scale", "one_term_less", "one_term_more"});
  }

  Tensor formula(const Tensor& a, const Tensor& b, const Tensor&,
                 const Key&) const override {
    Tensor sum = at::zeros_like(b);
    const Tensor step = at::eye(b.numel(), b.options()) - kScale * a;
    for (int j = 0; j <= kTerms; ++j) {
      sum = sum + at::mv(at::linalg_matrix_power(step, j), b);
    }
    return kScale * sum;
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    const int terms =
        kTerms + (fault_ == "one_term_more") - (fault_ == "one_term_less");
    ParameterSet term = b, sum = b;
    for (int j = 0; j < terms; ++j) {
      term = add(term, -kScale, a(term));
      sum = sum + term;
    }
    Solution out;
    out.x = fault_ == "missing_scale" ? sum : kScale * sum;
    return out;
  }

  static constexpr int kTerms = 5;
  static constexpr double kScale = 0.2;
  std::string fault_;
};

/// Conjugate gradients, the direction built from the old residual.
class FaultyConjugateGradient : public InverseHessian {
 public:
  explicit FaultyConjugateGradient(const Config& config)
      : InverseHessian(config), fault_(config.text("fault")) {}

  static Schema schema() {
    return Schema("Conjugate gradients.")
        .choice("fault", "none", "What is wrong.", {"none", "old_residual"});
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    Solution out;
    out.x = b.zeros();
    ParameterSet r = b, p = b;
    double rr = dot(r, r).item<double>();
    const double enough = 1e-26 * rr;
    for (int k = 0; k < 40 && rr > enough; ++k) {
      const ParameterSet q = a(p);
      const double alpha = rr / dot(p, q).item<double>();
      out.x = add(out.x, alpha, p);
      const ParameterSet before = r;
      r = add(r, -alpha, q);
      const double next = dot(r, r).item<double>();
      p = add(fault_ == "old_residual" ? before : r, next / rr, p);
      rr = next;
    }
    return out;
  }

  std::string fault_;
};

/// Implicit differentiation by a dense solve.
class FaultyIft : public SingleRun {
 public:
  FaultyIft(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        sign_(config.text("fault") == "wrong_sign" ? 1 : -1) {}

  static Schema schema() {
    return Schema("Implicit differentiation.")
        .choice("fault", "none", "What is wrong.", {"none", "wrong_sign"});
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const Partials direct = direct_partials(hyper);
    const ImplicitSystem system = ImplicitSystem::stationarity(run_, hyper);
    q_ = direct.weights.unflatten(
        at::linalg_solve(system.matrix(), direct.weights.flatten()));
    return {add(direct.hyper, sign_, system.hyper_transposed(q_)), direct.loss};
  }

  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      const ImplicitSystem system = ImplicitSystem::stationarity(run_, hyper);
      return valid_loss(run_.state().weights, hyper) -
             dot(q_, system.residual()).item<double>();
    };
  }

  Target target() const override { return Target::kStationarity; }

 private:
  double sign_;
  ParameterSet q_;
};

/// Backpropagation through a window, with a path cut.
class FaultyUnrolled : public WindowEstimator {
 public:
  FaultyUnrolled(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop), fault_(config.text("fault")) {}

  static Schema schema() {
    return Schema("Backpropagation through a window.")
        .choice("fault", "none", "What is wrong.",
                {"none", "momentum_not_differentiated", "rate_detached"});
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    const ParameterSet h = hyper.leaves();
    ParameterSet seen = h;
    if (fault_ == "rate_detached") {
      std::vector<Tensor> tensors;
      for (std::size_t i = 0; i < h.size(); ++i) {
        tensors.push_back(h.name(i) == "lr" ? h.tensors()[i].detach()
                                            : h.tensors()[i]);
      }
      seen = h.with(std::move(tensors));
    }
    auto [state, key] = run_.window_start(h);
    for (std::int64_t i = 0; i < run_.truncation().window; ++i) {
      state = loop_.step(state, seen, key, Tape::kOn);
      if (fault_ == "momentum_not_differentiated") {
        state.slots = state.slots.detach();
      }
    }
    run_.finish_turn(state);
    const Tensor loss =
        problem().valid_loss(state.weights, seen, run_.draw("valid"));
    return {gradient(loss, h), loss.item<double>()};
  }

  std::string fault_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "faulty_neumann", FaultyNeumann)
NESTGRAD_REGISTER(InverseHessianRegistry, "faulty_conjugate_gradient",
                  FaultyConjugateGradient)
NESTGRAD_REGISTER(EstimatorRegistry, "faulty_ift", FaultyIft)
NESTGRAD_REGISTER(EstimatorRegistry, "faulty_unrolled", FaultyUnrolled)

/// `rule`: whether settings of the training rule are tuned as well.
Json check(const Json& estimator, const Json& problem, bool rule) {
  Json config = {
      {"precision", "float64"},
      {"problem", problem},
      {"hyperparameters",
       {{"weight_decay", {{"per", "weight"}}},
        {"lr", {{"initial", 0.1}, {"coordinates", "log"}}},
        {"momentum", {{"initial", 0.6}, {"coordinates", "logit"}}}}},
      {"inner", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}},
      {"estimator", estimator}};
  if (!rule) {
    config["inner"] = {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.6}};
    config["hyperparameters"].erase("lr");
    config["hyperparameters"].erase("momentum");
  }
  return check_estimator(Config(complete(experiment_schema(), config)), {})
      .to_json();
}

Json with_fault(Json estimator, const std::string& fault) {
  (estimator.contains("solver") ? estimator["solver"] : estimator)["fault"] =
      fault;
  estimator["window"] = 12;
  return estimator;
}

}  // namespace

TEST_CASE("check finds each fault, and nothing in its right twin") {
  const Json neumann = {{"type", "ift"},
                        {"solver", {{"type", "faulty_neumann"}}}};
  const Json conjugate = {{"type", "ift"},
                          {"solver", {{"type", "faulty_conjugate_gradient"}}}};
  const std::vector<std::pair<Json, std::vector<std::string>>> mutants = {
      {neumann, {"missing_scale", "one_term_less", "one_term_more"}},
      {conjugate, {"old_residual"}},
      {{{"type", "faulty_ift"}}, {"wrong_sign"}},
      {{{"type", "faulty_unrolled"}},
       {"momentum_not_differentiated", "rate_detached"}}};
  for (const auto& [estimator, faults] : mutants) {
    CAPTURE(estimator.dump());
    const bool window = estimator["type"] == "faulty_unrolled";
    const Json right = check(with_fault(estimator, "none"), "ridge", window);
    CAPTURE(right["verdict"].get<std::string>());
    CHECK(right["passed"] == true);
    CHECK(right["claim"]["error"].get<double>() < 1e-8);
    for (const std::string& fault : faults) {
      CAPTURE(fault);
      const Json wrong = check(with_fault(estimator, fault), "ridge", window);
      CHECK(wrong["passed"] == false);
      CHECK_THAT(wrong["verdict"].get<std::string>(),
                 ContainsSubstring("WRONG"));
    }
  }
}

TEST_CASE("check finds a wrong solver in models too large for dense algebra") {
  const Json problem = {{"type", "ridge"}, {"features", 1200}};
  for (const auto& [type, faults] :
       std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"faulty_neumann",
            {"missing_scale", "one_term_less", "one_term_more"}},
           {"faulty_conjugate_gradient", {"old_residual"}}}) {
    const auto judged = [&, solver = type](const std::string& fault) {
      return check(
          with_fault({{"type", "ift"}, {"solver", {{"type", solver}}}}, fault),
          problem, /*rule=*/false);
    };
    const Json right = judged("none");
    CAPTURE(type, right["verdict"].get<std::string>());
    CHECK(right["claim"]["holds"] == true);
    CHECK(right["claim"]["parts_error"].get<double>() < 1e-8);
    for (const std::string& fault : faults) {
      CAPTURE(fault);
      const Json wrong = judged(fault);
      CHECK(wrong["passed"] == false);
      CHECK_THAT(wrong["verdict"].get<std::string>(),
                 ContainsSubstring("off its own formula"));
    }
  }
}

TEST_CASE("check names the hyperparameter that is wrong") {
  const Json got =
      check(with_fault({{"type", "faulty_unrolled"}}, "rate_detached"), "ridge",
            /*rule=*/true);
  CHECK(got["claim"]["parts"]["lr"]["holds"] == false);
  CHECK(got["claim"]["parts"]["lr"]["error"].get<double>() == Approx(1));
  CHECK(got["claim"]["parts"]["weight_decay"]["holds"] == true);
  const std::string verdict = got["verdict"];
  CHECK_THAT(verdict, ContainsSubstring("'lr'"));
  CHECK_THAT(verdict, !ContainsSubstring("'weight_decay'"));
}

}  // namespace nestgrad
