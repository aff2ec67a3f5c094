#include "self_tuning.h"

#include <ATen/ATen.h>

#include <vector>

#include "core/platform/stopwatch.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "median.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kTrainingSteps = 40;
constexpr int kPairs = 15;

struct NamedModel {
  const char* name;
  Json model;
  Json data = {{"type", "fashion_mnist"}, {"train", 5000}, {"valid", 1000}};
};

std::vector<NamedModel> networks() {
  return {
      {"mlp 784-256-256-10",
       {{"type", "mlp"},
        {"hidden", {256, 256}},
        {"input_dropout", "$dropout"},
        {"dropout", "$dropout"}}},
      {"cnn 8-16, 64",
       {{"type", "cnn"},
        {"channels", {8, 16}},
        {"augment",
         {{{"type", "cutout"}, {"holes", "$holes"}, {"length", "$length"}}}},
        {"hidden", {64}},
        {"dropout", "$dropout"}}},
      {"lstm 64-128",
       {{"type", "lstm"},
        {"input_dropout", "$dropout"},
        {"dropout", "$dropout"}},
       {{"type", "text"},
        {"file", "/usr/share/common-licenses/GPL-3"},
        {"valid", 200},
        {"test", 200}}}};
}

Config config_for(const NamedModel& network) {
  Json hyperparameters = {
      {"dropout",
       {{"initial", 0.2}, {"range", {0, 0.95}}, {"per", "position"}}}};
  if (network.model["type"] == "cnn") {
    hyperparameters["holes"] = {{"initial", 1.5}};
    hyperparameters["length"] = {{"initial", 4}};
  }
  return Config(
      complete(experiment_schema(),
               {{"problem",
                 {{"type", "classification"},
                  {"data", network.data},
                  {"model", network.model},
                  {"batch", 128},
                  {"valid_batch", 128}}},
                {"hyperparameters", hyperparameters},
                {"inner", {{"type", "sgd"}, {"lr", 0.05}, {"momentum", 0.9}}},
                {"estimator", "stn"}}));
}

template <class F>
double seconds(F&& f) {
  const Stopwatch watch;
  f();
  return watch.seconds();
}

/// Seconds per training step, plain and with `estimator`, and the median of the
/// ratios of neighbouring runs.
struct Cost {
  double plain, own, ratio;
};

Cost cost(const Experiment& experiment, const Json& estimator,
          std::int64_t estimates) {
  const ParameterSet hyper = experiment.initial_hyper();
  const TrainingLoop& loop = experiment.loop();
  const auto made = EstimatorRegistry::instance().make(estimator, loop);
  made->begin(hyper, Key(1));
  TrainState state = loop.start(hyper, Key(1));
  const auto plain = [&] {
    state = loop.steps(state, kTrainingSteps, hyper, Key(1));
  };
  const auto own = [&] {
    for (std::int64_t i = 0; i < estimates; ++i) made->estimate(hyper);
  };
  plain();
  own();
  std::vector<double> plains, owns, ratios;
  for (int i = 0; i < kPairs; ++i) {
    plains.push_back(seconds(plain) / kTrainingSteps);
    owns.push_back(seconds(own) / kTrainingSteps);
    ratios.push_back(owns.back() / plains.back());
  }
  return {median(plains), median(owns), median(ratios)};
}

}  // namespace

void measure_self_tuning() {
  prepare_process(0);
  fmt::print("{:22}{:12}{:>10}{:>16}{:>8}{:>20}{:>8}\n", "network", "estimator",
             "plain ms", "training ms", "ratio", "with estimates ms", "ratio");
  for (const NamedModel& network : networks()) {
    const Experiment experiment(config_for(network));
    for (const char* type : {"stn", "delta_stn"}) {
      const Cost training =
          cost(experiment, {{"type", type}, {"window", kTrainingSteps}}, 1);
      const Cost whole =
          cost(experiment, {{"type", type}, {"window", 2}}, kTrainingSteps / 2);
      fmt::print("{:22}{:12}{:>10.2f}{:>16.2f}{:>8.2f}{:>20.2f}{:>8.2f}\n",
                 network.name, type, 1e3 * training.plain, 1e3 * training.own,
                 training.ratio, 1e3 * whole.own, whole.ratio);
      std::fflush(stdout);
    }
  }
}

}  // namespace nestgrad
