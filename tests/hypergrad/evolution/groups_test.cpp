#include "core/hyper_space.h"
#include "hypergrad/estimator.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// The same problem, which counts the calls of its training gradient and may
/// say that its groups cannot train together.
class Watched : public ProblemDecorator {
 public:
  Watched(std::shared_ptr<const BilevelProblem> problem, bool groups)
      : ProblemDecorator(std::move(problem)), groups_(groups) {}

  ProblemAbilities abilities() const override {
    ProblemAbilities out = problem().abilities();
    out.groups = groups_;
    return out;
  }
  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override {
    ++calls;
    return ProblemDecorator::train_gradient(weights, hyper, draw);
  }

  mutable int calls = 0;

 private:
  bool groups_;
};

struct Case {
  Json problem, rule;
  std::vector<HyperSpec> space;
};

HyperSpec positive(const char* name, double value) {
  return {name, at::scalar_tensor(value, float64()), Coordinates::log()};
}

/// Problems whose groups train together, with rules that are alike in all steps
/// and rules that are not.
std::vector<Case> cases() {
  const Json line = {{"type", "linear"},
                     {"initial", "$first"},
                     {"final", "$last"},
                     {"steps", 5}};
  return {{{{"type", "lorenz"}, {"length", 20}},
           {{"type", "sgd"}, {"lr", 1}},
           {positive("a", 8), positive("r", 30)}},
          {"toy_regression",
           {{"type", "sgd"}, {"lr", line}, {"momentum", 0.5}},
           {positive("first", 0.1), positive("last", 0.02)}},
          {"toy_regression",
           {{"type", "adam"}, {"lr", "$lr"}},
           {positive("lr", 0.1)}},
          {"toy_regression",
           {{"type", "sgd"}, {"lr", "$lr"}},
           {{"lr", at::tensor({0.1, 0.2, 0.1, 0.05}, float64())}}},
          {"ridge",
           {{"type", "sgd"}, {"lr", 0.1}},
           {positive("weight_decay", 0.1)}}};
}

/// Both forms of a problem, and estimators of each.
struct Pair {
  Pair(const Case& c, Json section) {
    const std::shared_ptr<const Optimizer> rule =
        OptimizerRegistry::instance().make(c.rule);
    for (Form* form : {&together, &apart}) {
      form->problem = std::make_shared<Watched>(
          std::make_shared<Reparameterized>(
              ProblemRegistry::instance().make(c.problem, {float64(), Key(1)}),
              c.space),
          form == &together);
      form->loop = std::make_unique<TrainingLoop>(form->problem, rule);
      form->estimator =
          EstimatorRegistry::instance().make(section, *form->loop);
      form->estimator->begin(form->problem->initial_hyper(), Key(2));
      form->problem->calls = 0;
    }
  }

  void check_same_estimates(int count) {
    const ParameterSet h = together.problem->initial_hyper();
    for (int i = 0; i < count; ++i) {
      const Estimate a = together.estimator->estimate(h),
                     b = apart.estimator->estimate(h);
      CHECK(relative_error(a.gradient, b.gradient) < 1e-10);
      CHECK(a.objective == Approx(b.objective).epsilon(1e-12));
    }
    CHECK(relative_error(together.estimator->weights(h),
                         apart.estimator->weights(h)) < 1e-10);
  }

  struct Form {
    std::shared_ptr<Watched> problem;
    std::unique_ptr<TrainingLoop> loop;
    std::unique_ptr<HypergradientEstimator> estimator;
  };
  Form together, apart;
};

TEST_CASE("groups that train together estimate what they would apart",
          "[evolution]") {
  for (const Case& c : cases()) {
    CAPTURE(c.problem.dump(), c.rule.dump());
    for (const char* type : {"es", "pes", "es_single"}) {
      for (const bool staggered : {true, false}) {
        const int turns = staggered ? 1 : 2;
        CAPTURE(type, staggered);
        Pair pair(c, {{"type", type},
                      {"particles", 6},
                      {"groups", 3},
                      {"staggered", staggered},
                      {"window", 2},
                      {"outer_steps_per_window", turns},
                      {"horizon", 6}});
        pair.check_same_estimates(5);
        CHECK(pair.together.problem->calls == 5 * 2);
        CHECK(pair.apart.problem->calls == 5 * 2 * 3);
      }
    }
  }
}

TEST_CASE("as many groups train together as have few numbers", "[evolution]") {
  // 41 runs of 700 weights and a decay: two groups, but not three.
  const Case large = {{{"type", "ridge"}, {"features", 700}},
                      {{"type", "sgd"}, {"lr", 0.1}},
                      {positive("weight_decay", 0.1)}};
  Pair pair(large, {{"type", "pes"},
                    {"particles", 40},
                    {"groups", 3},
                    {"window", 2},
                    {"horizon", 6}});
  pair.check_same_estimates(2);
  CHECK(pair.together.problem->calls == 2 * 2 * 2);
  CHECK(pair.apart.problem->calls == 2 * 2 * 3);
}

TEST_CASE("groups with windows of different lengths train one after another",
          "[evolution]") {
  Pair pair(cases()[1], {{"type", "es"},
                         {"particles", 4},
                         {"groups", 2},
                         {"window", 6},
                         {"shortest", 2},
                         {"starts", 0},
                         {"horizon", 6}});
  pair.check_same_estimates(6);
}

}  // namespace
}  // namespace nestgrad
