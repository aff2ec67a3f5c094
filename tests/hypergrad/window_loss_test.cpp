#include "hypergrad/window_loss.h"

#include <set>

#include "experiments/setup/experiment.h"
#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"
#include "tests/kit/numbers.h"
#include "tests/support/dropout_network.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

const Json kSgd = {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}};

bool has_key(const std::string& estimator) {
  return complete(EstimatorRegistry::instance(), Json{{"type", estimator}})
      .contains("objective");
}

/// The rule's numbers are tuned; validation has minibatches of five, too.
Experiment experiment() {
  Json problem = dropout_network();
  problem["valid_batch"] = 5;
  return Experiment(Config(complete(
      experiment_schema(),
      Json{{"precision", "float64"},
           {"problem", problem},
           {"hyperparameters",
            {{"lr", {{"initial", 0.05}, {"coordinates", "log"}}},
             {"momentum", {{"initial", 0.9}, {"coordinates", "real"}}}}},
           {"inner", kSgd},
           {"estimator", "unrolled"}})));
}

/// The estimate of turn number `turns`.
Estimate estimate(const Experiment& experiment, const Json& json,
                  int turns = 1) {
  const auto estimator =
      EstimatorRegistry::instance().make(json, experiment.loop());
  const ParameterSet hyper = experiment.initial_hyper();
  estimator->begin(hyper, Key(7));
  Estimate out;
  while (turns-- > 0) out = estimator->estimate(hyper);
  CHECK(out.status == Status::kOk);
  return out;
}

}  // namespace

TEST_CASE(
    "methods that unroll training have a choice of objectives, and no "
    "others",
    "[window_loss]") {
  for (const char* name : {"unrolled", "forward", "reversible", "uoro",
                           "finite_difference", "es", "pes", "es_single"}) {
    CAPTURE(name);
    CHECK(has_key(name));
  }
  for (const char* name : {"ift", "one_step", "apo", "stn"}) {
    CAPTURE(name);
    CHECK(!has_key(name));
  }
}

TEST_CASE(
    "the sum is that of the losses after each step of the window, the "
    "mean is the sum per step",
    "[window_loss]") {
  const Bench bench = ridge_bench(kSgd);
  const TrainingLoop& loop = *bench.loop;
  // Two windows of one run.
  TrainState state = loop.start(bench.hyper, Key(1));
  const TrainingLoop summing = loop.summing_losses(3);
  TrainState beside = summing.start(bench.hyper, Key(1));
  for (int window = 0; window < 2; ++window) {
    double sum = 0;
    for (int t = 0; t < 3; ++t) {
      state = loop.step(state, bench.hyper, Key(1));
      sum += loop.problem()
                 ->valid_loss(state.weights, bench.hyper, Draw())
                 .item<double>();
      beside = summing.step(beside, bench.hyper, Key(1));
      CHECK(beside.slots.at(TrainingLoop::kLossSum).item<double>() ==
            Approx(sum).epsilon(1e-12));
    }
    CHECK(at::equal(beside.weights.flatten(), state.weights.flatten()));
    const auto told = [&](const char* objective) {
      return WindowLoss(Config(Json{{"objective", objective}}))(
                 *loop.problem(), beside, bench.hyper, Draw(), 3)
          .item<double>();
    };
    CHECK(told("sum") == Approx(sum).epsilon(1e-12));
    CHECK(told("mean") == Approx(sum / 3).epsilon(1e-12));
    CHECK(told("last") == loop.problem()
                              ->valid_loss(state.weights, bench.hyper, Draw())
                              .item<double>());
  }
}

TEST_CASE(
    "every step of a window has a validation minibatch of its own, the "
    "same whenever the step is repeated",
    "[window_loss]") {
  const Experiment made = experiment();
  const ParameterSet hyper = made.initial_hyper();
  // Each sum is that of one loss, so it tells the minibatch.
  const TrainingLoop loop = made.loop().summing_losses(1);
  const TrainState start = loop.start(hyper, Key(1));
  const auto loss_after = [&](std::int64_t step, const Key& run) {
    // The weights do not move.
    const TrainState state{start.weights, {}, step};
    return loop.loss_sum(at::zeros({}, float64()), state, hyper, run)
        .item<double>();
  };
  CHECK(loss_after(1, Key(1)) == loss_after(1, Key(1)));
  CHECK(loss_after(1, Key(1)) != loss_after(2, Key(1)));
  // Of four minibatches, two runs may have the same.
  std::set<double> of_runs;
  for (std::uint64_t run = 1; run <= 8; ++run) {
    of_runs.insert(loss_after(1, Key(run)));
  }
  CHECK(of_runs.size() > 1);
}

TEST_CASE("the methods that differentiate a window agree on sums and means",
          "[window_loss]") {
  const Experiment bench = experiment();
  for (const char* objective : {"mean", "sum"}) {
    for (const int turns : {1, 3}) {
      Json json = {{"type", "unrolled"},
                   {"window", 6},
                   {"horizon", 12},
                   {"objective", objective}};
      const Estimate expected = estimate(bench, json, turns);
      for (Json other :
           {Json{{"type", "unrolled"}, {"checkpoints", 2}},
            Json{{"type", "unrolled"}, {"checkpoints", "all"}},
            Json{{"type", "unrolled"}, {"last", 6}}, Json{{"type", "forward"}},
            Json{{"type", "reversible"}},
            Json{{"type", "finite_difference"}}}) {
        const bool exact = other["type"] != "finite_difference";
        for (const char* key : {"window", "horizon", "objective"}) {
          other[key] = json[key];
        }
        CAPTURE(other.dump(), turns);
        const Estimate got = estimate(bench, other, turns);
        CHECK(relative_error(got.gradient, expected.gradient) <
              (exact ? 1e-10 : 1e-6));
        CHECK(double(got.objective) ==
              Approx(double(expected.objective)).epsilon(1e-10));
      }
      json["objective"] = "last";
      CHECK(relative_error(estimate(bench, json, turns).gradient,
                           expected.gradient) > 0.01);
    }
  }
}

TEST_CASE("every method computes what it claims for sums of losses",
          "[window_loss]") {
  int judged = 0;
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    if (!has_key(name)) continue;
    const Bench bench = network_bench(kSgd, /*batch=*/4);
    const auto estimator = EstimatorRegistry::instance().make(
        {{"type", name}, {"window", 4}, {"horizon", 8}, {"objective", "sum"}},
        *bench.loop);
    estimator->begin(bench.hyper, Key(7));
    for (int i = 0; i < 3; ++i) {
      const ParameterSet gradient = estimator->estimate(bench.hyper).gradient;
      const Objective claim = estimator->claim();
      if (!claim) continue;
      CAPTURE(name, i);
      ++judged;
      CHECK(relative_error(gradient, central_differences(bench.hyper, claim)) <
            1e-6);
    }
  }
  CHECK(judged >= 12);
}

TEST_CASE(
    "forward mode in real time differentiates the losses of the last "
    "window through the whole run",
    "[window_loss]") {
  const Experiment made = experiment();
  const ParameterSet hyper = made.initial_hyper();
  const auto estimator =
      EstimatorRegistry::instance().make({{"type", "forward"},
                                          {"real_time", true},
                                          {"window", 4},
                                          {"horizon", 12},
                                          {"objective", "sum"}},
                                         made.loop());
  estimator->begin(hyper, Key(7));
  ParameterSet gradient;
  for (int i = 0; i < 3; ++i) gradient = estimator->estimate(hyper).gradient;
  CHECK(relative_error(gradient,
                       central_differences(hyper, estimator->claim())) < 1e-6);

  // The same through the whole run on one tape.
  const TrainingLoop loop = made.loop().summing_losses(4);
  const ParameterSet h = hyper.leaves();
  const Key run = Key(7).fold("episode").fold(0);
  const TrainState end = loop.steps(loop.start(h, run), 12, h, run, Tape::kOn);
  const Tensor sum = end.slots.at(TrainingLoop::kLossSum);
  CHECK(relative_error(gradient, nestgrad::gradient(sum, h)) < 1e-10);
}

TEST_CASE("an objective that a method cannot have is refused",
          "[window_loss]") {
  const Bench bench = ridge_bench(kSgd);
  const auto make = [&](const Json& json) {
    return EstimatorRegistry::instance().make(json, *bench.loop);
  };
  CHECK_THROWS_WITH(
      make({{"type", "es"}, {"metric", "valid_loss"}, {"objective", "sum"}}),
      ContainsSubstring("/objective: must be \"last\" with a metric"));
  CHECK_THROWS_WITH(
      make({{"type", "pes"}, {"telescoped", true}, {"objective", "mean"}}),
      ContainsSubstring("/telescoped: is for the loss at the end"));
  CHECK_THROWS_WITH(make({{"type", "pes"}, {"objective", "first"}}),
                    ContainsSubstring("/objective"));
}

}  // namespace nestgrad
