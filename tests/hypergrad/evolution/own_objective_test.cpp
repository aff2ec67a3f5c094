#include "core/tensor/sum.h"
#include "hypergrad/evolution/evolution.h"
#include "tests/hypergrad/evolution/theta.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

// A method with an objective of its own, as it would stand in a plugin: the sum
// of the validation losses after each step of the window.

class SumOfLosses : public EvolutionObjective {
 public:
  using EvolutionObjective::EvolutionObjective;

  Outcome of_window(const TrainingWindow& window, const ParameterSet& hyper,
                    Tape tape) const override {
    TrainState state = window.start;
    Tensor sum;
    for (std::int64_t t = 0; t < window.steps; ++t) {
      state = loop().step(state, hyper, window.runs, tape);
      add_to(sum, losses(state, hyper, window.draw, tape));
    }
    return {state, sum};
  }
};

class SummedPes : public Evolution {
 public:
  SummedPes(const Config& config, const TrainingLoop& loop)
      : Evolution(config, loop, std::make_shared<SumOfLosses>(config, loop)) {}

  static Schema schema() {
    return with_common_keys(Schema("PES on the sum of a window's losses."));
  }

 private:
  void begin_window(ParticleGroup& group,
                    const ParameterSet& fresh) const override {
    group.noise = fresh;
    group.score = group.score + fresh;
  }
  Objective expectation() const override { return of_run(); }
};

NESTGRAD_REGISTER(EstimatorRegistry, "summed_pes", SummedPes)

constexpr std::int64_t kWindow = 3, kWindows = 4;

/// The sum of validation losses over the last of kWindows windows, if `theta`
/// is used in all of training: step by step, without any estimator.
double summed(const TrainingLoop& loop, const ParameterSet& theta) {
  TrainState state = loop.start(theta, Key(1));
  double sum = 0;
  for (std::int64_t t = 1; t <= kWindow * kWindows; ++t) {
    state = loop.step(state, theta, Key(1));
    if (t <= kWindow * (kWindows - 1)) continue;
    sum +=
        loop.problem()->valid_loss(state.weights, theta, Draw()).item<double>();
  }
  return sum;
}

/// Central differences, which are exact for what is quadratic in theta.
double slope_at(const std::function<double(const ParameterSet&)>& f,
                double value) {
  return (f(theta(value + 0.1)) - f(theta(value - 0.1))) / 0.2;
}

}  // namespace

TEST_CASE("an objective from outside is minimised: losses summed over a window",
          "[evolution]") {
  // Linear dynamics and a quadratic loss, so smoothing changes no derivative.
  const TrainingLoop loop(
      ProblemRegistry::instance().make(Json("influence_balancing"),
                                       {float64(), Key(1)}),
      OptimizerRegistry::instance().make(Json{{"type", "sgd"}, {"lr", 1}}));
  const auto of_training = [&](const ParameterSet& h) {
    return summed(loop, h);
  };
  const double truth = slope_at(of_training, 0.5);

  const auto estimator = EstimatorRegistry::instance().make(
      {{"type", "summed_pes"}, {"particles", 20}, {"window", kWindow}}, loop);
  CHECK(estimator->target() == Target::kOwn);
  std::vector<double> gradients;
  Estimate last;
  for (std::uint64_t key = 0; key < 100; ++key) {
    estimator->begin(theta(0.5), Key(1));
    estimator->reseed(Key(key));
    for (std::int64_t i = 0; i < kWindows; ++i) {
      last = estimator->estimate(theta(0.5));
    }
    gradients.push_back(last.gradient.flatten().item<double>());
  }
  const Tensor all = at::tensor(gradients, at::kDouble);
  const double error = all.std().item<double>() / 10;
  CAPTURE(truth, all.mean().item<double>(), error);
  CHECK(std::abs(all.mean().item<double>() - truth) < 3 * error);
  // Small enough to tell the sum from its largest term.
  CHECK(error < 0.1 * std::abs(truth));

  CHECK(last.objective == Approx(of_training(theta(0.5))));

  // The program's own sum of losses is the same objective.
  const auto built_in =
      EstimatorRegistry::instance().make({{"type", "pes"},
                                          {"particles", 20},
                                          {"window", kWindow},
                                          {"objective", "sum"}},
                                         loop);
  built_in->begin(theta(0.5), Key(1));
  built_in->reseed(Key(99));
  Estimate other;
  for (std::int64_t i = 0; i < kWindows; ++i) {
    other = built_in->estimate(theta(0.5));
  }
  CHECK(double(other.objective) == Approx(double(last.objective)));
  CHECK(other.gradient.flatten().item<double>() == Approx(gradients.back()));
  CHECK(slope_at(estimator->mean_claim(), 0.5) == Approx(truth));
}

}  // namespace nestgrad
