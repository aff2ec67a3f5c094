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
          {"ridge",
           {{"type", "sgd"}, {"lr", 0.1}},
           {positive("weight_decay", 0.1)}}};
}

TEST_CASE("groups that train together estimate what they would apart",
          "[evolution]") {
  for (const Case& c : cases()) {
    CAPTURE(c.problem.dump(), c.rule.dump());
    const std::shared_ptr<const Optimizer> rule =
        OptimizerRegistry::instance().make(c.rule);
    const auto problem = [&](bool groups) {
      return std::make_shared<Watched>(
          std::make_shared<Reparameterized>(
              ProblemRegistry::instance().make(c.problem, {float64(), Key(1)}),
              c.space),
          groups);
    };
    const auto together = problem(true), apart = problem(false);
    const TrainingLoop one_loop(together, rule), other_loop(apart, rule);
    for (const char* type : {"es", "pes", "es_single"}) {
      for (const bool staggered : {true, false}) {
        CAPTURE(type, staggered);
        const auto make = [&](const TrainingLoop& loop) {
          return EstimatorRegistry::instance().make({{"type", type},
                                                     {"particles", 6},
                                                     {"groups", 3},
                                                     {"staggered", staggered},
                                                     {"window", 2},
                                                     {"horizon", 6}},
                                                    loop);
        };
        const auto one = make(one_loop), other = make(other_loop);
        const ParameterSet h = together->initial_hyper();
        one->begin(h, Key(2));
        other->begin(h, Key(2));
        together->calls = apart->calls = 0;
        for (int i = 0; i < 5; ++i) {
          const Estimate a = one->estimate(h), b = other->estimate(h);
          CHECK(relative_error(a.gradient, b.gradient) < 1e-10);
          CHECK(a.objective == Approx(b.objective).epsilon(1e-12));
        }
        CHECK(together->calls == 5 * 2);
        CHECK(apart->calls == 5 * 2 * 3);
        CHECK(relative_error(one->weights(h), other->weights(h)) < 1e-10);
      }
    }
  }
}

}  // namespace
}  // namespace nestgrad
