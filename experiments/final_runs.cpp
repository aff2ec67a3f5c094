#include "experiments/final_runs.h"

#include <cmath>

#include "core/error.h"

namespace nestgrad {
namespace {

bool is_accuracy(const std::string& metric) {
  return metric.find("accuracy") != std::string::npos;
}

}  // namespace

Json FinalRun::json() const {
  if (!trouble.empty()) return {{"trouble", trouble}};
  Json out = metrics;
  if (!deviation.empty()) out["deviation"] = deviation;
  return out;
}

FinalRuns::FinalRuns(const Config& config, const Experiment& experiment)
    : config_(config), experiment_(experiment) {
  const Config record = config.object("record");
  const std::vector<Config> models = record.objects("other_models");
  if (models.empty() || experiment.retraining_steps() == 0) return;
  if (!config.object("problem").has("model")) {
    record.fail("other_models", "must be empty: the problem has no model");
  }
  for (const Config& model : models) {
    if (alike(with_model(model).initial_hyper(), experiment.initial_hyper())) {
      continue;
    }
    throw ConfigError(model.pointer(),
                      "the hyperparameters of this model have other shapes, "
                      "so it cannot be trained under those found");
  }
}

Experiment FinalRuns::with_model(const Config& model) const {
  Json json = config_.json();
  json["problem"]["model"] = model.json();
  try {
    return Experiment(Config(std::move(json)));
  } catch (const ConfigError& error) {
    throw ConfigError(model.pointer(), error.complaints().front().what);
  }
}

FinalRun FinalRuns::train(std::string name, const Experiment& experiment,
                          const ParameterSet& hyper) const {
  FinalRun out{std::move(name)};
  const std::int64_t networks = config_.object("record").integer("networks");
  Metrics squares;
  try {
    for (std::int64_t i = 0; i < networks; ++i) {
      for (const auto& [metric, value] :
           experiment.retrain(hyper, experiment.retraining_steps(), i)) {
        out.metrics[metric] += value / static_cast<double>(networks);
        squares[metric] += value * value;
      }
    }
  } catch (const Error& error) {
    return {out.name, {}, {}, error.what()};
  }
  if (networks == 1) return out;
  const auto n = static_cast<double>(networks);
  for (const auto& [metric, mean] : out.metrics) {
    const double rest = squares[metric] - n * mean * mean;
    out.deviation[metric] = std::sqrt(std::max(0.0, rest) / (n - 1));
  }
  return out;
}

void FinalRuns::train(const ParameterSet& found,
                      const std::function<void(const std::string&)>& progress) {
  progress("with the hyperparameters of the start");
  tuning_.push_back(train("start", experiment_, experiment_.initial_hyper()));
  progress("with the hyperparameters found");
  tuning_.push_back(train("found", experiment_, found));
  for (const Config& model : config_.object("record").objects("other_models")) {
    progress(fmt::format("with the hyperparameters found and another model, {}",
                         model.type()));
    models_.push_back(train(model.type(), with_model(model), found));
  }
  for (const auto& [name, hyper] : experiment_.problem().baselines()) {
    progress(fmt::format("with the baseline {}", name));
    baselines_.push_back(train(name, experiment_, hyper));
  }
}

WarmColdGap::WarmColdGap(const Metrics& tuned, const FinalRun& found) {
  for (const char* name :
       {"test_accuracy", "valid_accuracy", "test_loss", "valid_loss"}) {
    if (tuned.count(name) == 0 || found.metrics.count(name) == 0) continue;
    metric = name;
    joint = tuned.at(name);
    retrained = found.metrics.at(name);
    return;
  }
}

double WarmColdGap::gap() const {
  return is_accuracy(metric) ? joint - retrained : retrained - joint;
}

Json WarmColdGap::json() const {
  return {{"metric", metric},
          {"joint", joint},
          {"retrained", retrained},
          {"gap", gap()}};
}

std::string WarmColdGap::text() const {
  std::string words = metric;
  for (char& c : words) c = c == '_' ? ' ' : c;
  return is_accuracy(metric)
             ? fmt::format(
                   "{} {:.1f} % with the weights of tuning, {:.1f} % "
                   "from scratch: {:+.1f} points",
                   words, 100 * joint, 100 * retrained, 100 * gap())
             : fmt::format(
                   "{} {:.4g} with the weights of tuning, {:.4g} from "
                   "scratch: {:+.2g}",
                   words, joint, retrained, gap());
}

}  // namespace nestgrad
