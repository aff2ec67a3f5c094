#include <cmath>

#include "core/platform/memory_meter.h"
#include "experiments/setup/experiment.h"
#include "hypergrad/unrolled/checkpoint_schedule.h"
#include "tests/kit/bench.h"
#include "tests/kit/numbers.h"
#include "tests/support/counting_problem.h"
#include "tests/support/dropout_network.h"

namespace nestgrad {
namespace {

const Json kSgd = {{"type", "sgd"},
                   {"lr", "$lr"},
                   {"momentum", "$momentum"},
                   {"weight_decay", "$decay"}};
const Json kAdam = {
    {"type", "adam"}, {"lr", "$lr"}, {"weight_decay", "$decay"}};
const Json kAdamW = {
    {"type", "adamw"}, {"lr", "$lr"}, {"weight_decay", "$decay"}};

/// The numbers of the rule are tuned.
/// 0.9 is a momentum that exact arithmetic holds exactly, as 9 / 10.
Json experiment(const Json& rule) {
  const double lr = rule == kSgd ? 0.05 : 0.005;
  Json hyper = {{"lr", {{"initial", lr}, {"coordinates", "log"}}},
                {"decay", {{"initial", 1e-2}, {"coordinates", "log"}}}};
  if (rule == kSgd) {
    hyper["momentum"] = {{"initial", 0.9}, {"coordinates", "real"}};
  }
  return {{"precision", "float64"},
          {"problem", dropout_network()},
          {"hyperparameters", hyper},
          {"inner", rule},
          {"estimator", "unrolled"}};
}

ParameterSet estimate(const Experiment& experiment, const Json& form,
                      std::int64_t window) {
  Json json = form;
  json["window"] = window;
  const auto estimator =
      EstimatorRegistry::instance().make(json, experiment.loop());
  estimator->begin(experiment.initial_hyper(), Key(3));
  const Estimate out = estimator->estimate(experiment.initial_hyper());
  CHECK(out.status == Status::kOk);
  return out.gradient;
}

Json unrolled(const Json& checkpoints) {
  return {{"type", "unrolled"}, {"checkpoints", checkpoints}};
}

const std::vector<Json> kForms = {unrolled(2),
                                  unrolled("all"),
                                  unrolled("sqrt"),
                                  unrolled("log"),
                                  {{"type", "unrolled"}, {"memory_mib", 0.2}},
                                  {{"type", "forward"}},
                                  {{"type", "forward"}, {"real_time", true}},
                                  {{"type", "reversible"}}};

/// The fewest segments trained again, by dynamic programming.
std::int64_t fewest_repeated(std::int64_t n, std::int64_t states) {
  static std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> known;
  if (n <= 1) return 0;
  if (states == 0) return n * (n - 1) / 2;
  const auto [found, fresh] = known.try_emplace({n, states}, INT64_MAX);
  if (!fresh) return found->second;
  std::int64_t best = INT64_MAX;
  for (std::int64_t m = 1; m < n; ++m) {
    best = std::min(best, m + fewest_repeated(n - m, states - 1) +
                              fewest_repeated(m, states));
  }
  return known[{n, states}] = best;
}

/// Peak of tensors in a second estimate on a quadratic in two unknowns.
double peak_bytes(const Json& form, std::int64_t window) {
  const Experiment toy(Config(complete(
      experiment_schema(),
      Json{{"precision", "float64"},
           {"problem", "quadratic"},
           {"hyperparameters", {{"weight_decay", Json::object()}}},
           {"inner", {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.5}}}})));
  Json json = form;
  json["window"] = window;
  const auto estimator = EstimatorRegistry::instance().make(json, toy.loop());
  estimator->begin(toy.initial_hyper(), Key(3));
  const MemoryMeter memory;
  estimator->estimate(toy.initial_hyper());
  return static_cast<double>(memory.peak());
}

}  // namespace

TEST_CASE("all forms of unrolling agree, with dropout and minibatches",
          "[unrolled]") {
  for (const Json& rule : {kSgd, kAdam, kAdamW}) {
    const Experiment bench(
        Config(complete(experiment_schema(), experiment(rule))));
    for (const std::int64_t window : {1, 7, 64, 1000}) {
      const ParameterSet expected = estimate(bench, unrolled("none"), window);
      for (const Json& form : kForms) {
        if (form["type"] == "reversible" && rule != kSgd) continue;
        CAPTURE(rule.dump(), window, form.dump());
        const ParameterSet got = estimate(bench, form, window);
        // Tensor by tensor, so that none hides behind a larger one.
        for (std::size_t i = 0; i < got.size(); ++i) {
          CAPTURE(got.name(i));
          const Tensor& reference = expected.tensors()[i];
          // Both are zero for the momentum of a single step.
          CHECK((got.tensors()[i] - reference).norm().item<double>() <=
                1e-10 * reference.norm().item<double>());
        }
      }
    }
  }
}

TEST_CASE("a memory budget chooses checkpoints that keep to it", "[unrolled]") {
  const Experiment bench(
      Config(complete(experiment_schema(), experiment(kSgd))));
  const ParameterSet expected = estimate(bench, unrolled("none"), 64);
  double before = INFINITY;
  for (const double mib : {0.5, 0.2, 0.1}) {
    CAPTURE(mib);
    const Json form = {{"type", "unrolled"}, {"memory_mib", mib}};
    CHECK(relative_error(estimate(bench, form, 64), expected) < 1e-10);
    Json json = form;
    json["window"] = 64;
    const auto estimator =
        EstimatorRegistry::instance().make(json, bench.loop());
    estimator->begin(bench.initial_hyper(), Key(3));
    const MemoryMeter memory;
    estimator->estimate(bench.initial_hyper());
    const double used = mebibytes(memory.peak());
    CHECK(used < 1.1 * mib);
    CHECK(used < before);
    before = used;
  }
  CHECK_THROWS_WITH(
      estimate(bench, {{"type", "unrolled"}, {"memory_mib", 0.001}}, 64),
      ContainsSubstring("must be at least"));
  CHECK_THROWS_AS(
      estimate(
          bench,
          {{"type", "unrolled"}, {"memory_mib", 1}, {"checkpoints", "sqrt"}},
          64),
      ConfigError);
}

TEST_CASE("the last steps of a window are differentiated alone", "[unrolled]") {
  const Experiment bench(
      Config(complete(experiment_schema(), experiment(kSgd))));
  const ParameterSet all = estimate(bench, unrolled("none"), 12);
  for (const Json& checkpoints : {Json("none"), Json("sqrt"), Json("log")}) {
    CAPTURE(checkpoints.dump());
    Json form = unrolled(checkpoints);
    form["last"] = 12;
    CHECK(relative_error(estimate(bench, form, 12), all) < 1e-12);
    form["last"] = 3;
    form["window"] = 12;
    const auto estimator =
        EstimatorRegistry::instance().make(form, bench.loop());
    const ParameterSet hyper = bench.initial_hyper();
    estimator->begin(hyper, Key(3));
    const ParameterSet g = estimator->estimate(hyper).gradient;
    CHECK(relative_error(g, all) > 0.01);
    const Objective claim = estimator->claim();
    const ParameterSet expected = central_differences(hyper, claim);
    CHECK(relative_error(g, expected) < 1e-7);
  }
  Json form = unrolled("none");
  form["last"] = 13;
  CHECK_THROWS_WITH(estimate(bench, form, 12),
                    ContainsSubstring("at most the window"));
}

TEST_CASE("forward mode in real time is the derivative of the whole run",
          "[unrolled]") {
  const Experiment bench(
      Config(complete(experiment_schema(), experiment(kAdam))));
  const ParameterSet hyper = bench.initial_hyper();
  for (const std::int64_t window : {1, 4}) {
    const auto forward = EstimatorRegistry::instance().make(
        {{"type", "forward"}, {"real_time", true}, {"window", window}},
        bench.loop());
    forward->begin(hyper, Key(3));
    ParameterSet g;
    for (int i = 0; i < 12 / window; ++i) g = forward->estimate(hyper).gradient;
    const Objective claim = forward->claim();
    const ParameterSet expected = central_differences(hyper, claim);
    CHECK(relative_error(g, expected) < 1e-6);
    // A window sees less.
    const auto windowed = EstimatorRegistry::instance().make(
        Json{{"type", "forward"}, {"window", window}}, bench.loop());
    windowed->begin(hyper, Key(3));
    for (int i = 0; i < 12 / window; ++i)
      g = windowed->estimate(hyper).gradient;
    CHECK(relative_error(g, expected) > 0.01);
  }
}

TEST_CASE("forward mode in real time continues identically after a restore",
          "[unrolled]") {
  const Bench bench = network_bench(
      {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}, 4);
  const Json json = {{"type", "forward"}, {"real_time", true}, {"window", 2}};
  const auto original = EstimatorRegistry::instance().make(json, *bench.loop);
  original->begin(bench.hyper, Key(7));
  original->estimate(bench.hyper);
  const auto restored = EstimatorRegistry::instance().make(json, *bench.loop);
  restore(*restored, save(*original));
  for (int i = 0; i < 2; ++i) {
    CHECK(at::equal(restored->estimate(bench.hyper).gradient.flatten(),
                    original->estimate(bench.hyper).gradient.flatten()));
  }
}

TEST_CASE("the binomial schedule repeats as few steps as there can be",
          "[unrolled]") {
  for (std::int64_t n = 1; n <= 60; ++n) {
    for (std::int64_t states = 1; states <= 8; ++states) {
      CAPTURE(n, states);
      CHECK(repeated_segments(n, states) == fewest_repeated(n, states));
    }
  }
}

TEST_CASE("checkpoints keep as many states and make as many steps as they say",
          "[unrolled]") {
  const CountingBench bench;
  for (const std::int64_t steps : {1, 2, 5, 23, 100}) {
    for (const CheckpointSchedule& schedule :
         {CheckpointSchedule{1, 2}, CheckpointSchedule{1, 5},
          CheckpointSchedule{3, 3}, CheckpointSchedule::square_root(steps),
          CheckpointSchedule::logarithmic(steps)}) {
      CAPTURE(steps, schedule.segment, schedule.states);
      const TrainState start = bench.loop.start(bench.hyper, Key(1));
      bench.problem->draws.clear();
      CheckpointedWindow window(schedule, bench.loop, start, steps, bench.hyper,
                                Key(1));
      CHECK(window.end().step == steps);
      Adjoint adjoint(bench.loop, Key(1), bench.hyper,
                      {0, window.end().joined(), bench.hyper.zeros()});
      window.back(adjoint);
      // Every step is on the tape once.
      CHECK(static_cast<std::int64_t>(bench.problem->draws.size()) - steps ==
            schedule.steps_off_tape(steps));
    }
  }
}

TEST_CASE("memory grows with the window as each form promises", "[unrolled]") {
  const auto growth = [](const Json& form, std::int64_t from, std::int64_t to) {
    return peak_bytes(form, to) / peak_bytes(form, from);
  };
  CHECK(growth(unrolled("none"), 100, 1000) > 8);
  CHECK(growth(unrolled("sqrt"), 100, 10000) < 12);
  CHECK(growth(unrolled("sqrt"), 100, 10000) > 5);
  CHECK(growth(unrolled("log"), 100, 10000) < 14.0 / 6.6 + 0.2);
  CHECK(growth({{"type", "forward"}}, 100, 1000) == 1);
  // A bit per weight and step at momentum 0.5, in words of 16 bits.
  CHECK(peak_bytes({{"type", "reversible"}}, 10000) -
            peak_bytes({{"type", "reversible"}}, 1000) <
        1.2 * 9000 * 2 / 8);
}

}  // namespace nestgrad
