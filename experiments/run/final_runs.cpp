#include "experiments/run/final_runs.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/metric.h"
#include "core/platform/error.h"
#include "core/platform/stopwatch.h"
#include "experiments/record/table.h"

namespace nestgrad {
namespace {

bool are_equal(const ParameterSet& a, const ParameterSet& b) {
  if (!alike(a, b)) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!at::equal(a.tensors()[i], b.tensors()[i])) return false;
  }
  return true;
}

}  // namespace

void FinalRun::summarize() {
  Metrics sums, squares, counts;
  for (const FinalNetwork& network : networks) {
    for (const auto& [metric, value] : network.metrics) {
      sums[metric] += value;
      squares[metric] += value * value;
      counts[metric] += 1;
    }
  }
  for (const auto& [metric, sum] : sums) {
    const double n = counts[metric];
    metrics[metric] = sum / n;
    if (n == 1) continue;
    const double rest = squares[metric] - sum * sum / n;
    deviation[metric] = std::sqrt(std::max(0.0, rest) / (n - 1));
  }
}

Json FinalRun::to_json() const {
  if (!trouble.empty()) return {{"trouble", trouble}};
  Json out = metrics;
  if (!deviation.empty()) out["deviation"] = deviation;
  return out;
}

FinalRuns::FinalRuns(const Config& config, const Experiment& experiment)
    : config_(config),
      experiment_(experiment),
      config_of_judge_(config_of_final_runs(config, experiment)),
      budget_(config.object("record").number_or("retrain_seconds", INFINITY)) {
  const Config record = config.object("record");
  const std::vector<Config> models = record.objects("other_models");
  if (experiment.retraining_steps() == 0) return;
  if (has_protocol()) Experiment{config_of_judge_};  // tells mistakes at once
  if (models.empty()) return;
  if (!config.object("problem").has("model")) {
    record.fail("other_models", "must be empty: the problem has no model");
  }
  for (const Config& model : models) {
    const Experiment other = with_model(model);
    if (has_protocol() ||
        alike(other.initial_hyper(), experiment.initial_hyper())) {
      continue;
    }
    throw ConfigError(model.pointer(),
                      "the hyperparameters of this model have different "
                      "shapes, so it cannot be trained with the found ones");
  }
}

Experiment FinalRuns::with_model(const Config& model) const {
  try {
    return Experiment(config_of_final_runs(config_, experiment_, &model));
  } catch (const ConfigError& error) {
    throw ConfigError(model.pointer(), error.complaints().front().what);
  }
}

const Experiment& FinalRuns::judge() {
  if (!judge_) judge_.emplace(config_of_judge_);
  return *judge_;
}

ParameterSet FinalRuns::as_judged(const Experiment& judge,
                                  const ParameterSet& hyper) const {
  if (!has_protocol()) return hyper;
  return judge.hyper_of(experiment_.problem().learned_examples(hyper));
}

Metrics FinalRuns::fresh(const ParameterSet& hyper) {
  Metrics out;
  try {
    const Metrics found = judge().retrain(
        as_judged(judge(), hyper),
        steps_of_final_runs(config_, experiment_, experiment_.outer_steps()));
    for (const auto& [name, value] : found) out[kFresh + name] = value;
  } catch (const NotFinite&) {
    out[kFresh + experiment_.judged_metric()] = std::nan("");
  }
  return out;
}

std::int64_t FinalRuns::networks_left() const {
  const auto made = static_cast<std::int64_t>(tuning_.size() + models_.size() +
                                              baselines_.size());
  return (final_run_count(config_, experiment_) - made) * networks_ -
         static_cast<std::int64_t>(present_.networks.size());
}

std::optional<Metrics> FinalRuns::judge(const Experiment& experiment,
                                        const ParameterSet& hyper,
                                        std::int64_t steps,
                                        const std::function<bool()>& go_on) {
  const auto i = static_cast<std::int64_t>(present_.networks.size());
  TrainState& state = present_.state;
  if (!has_budget()) return experiment.retrain(hyper, steps, i, state, go_on);
  const Stopwatch watch;
  const double before = seconds_;
  const double share =
      (budget_ - before) / static_cast<double>(networks_left());
  const auto is_used_up = [&] { return watch.seconds() >= share; };
  auto out = experiment.retrain(hyper, steps, i, state, [&] {
    seconds_ = before + watch.seconds();
    return !is_used_up() && go_on();
  });
  if (!out && is_used_up() && go_on()) {
    out = experiment.retrain(hyper, state.step, i, state, go_on);
  }
  if (out) (*out)["steps"] = static_cast<double>(state.step);
  seconds_ = before + watch.seconds();
  return out;
}

bool FinalRuns::train(std::vector<FinalRun>& to, std::string name,
                      const Experiment& experiment, const ParameterSet& hyper,
                      std::int64_t steps, const std::function<bool()>& go_on) {
  FinalRun out{std::move(name)};
  const auto networks = static_cast<std::size_t>(networks_);
  try {
    while (present_.networks.size() < networks) {
      const auto metrics = judge(experiment, hyper, steps, go_on);
      if (!metrics) return false;
      present_.networks.push_back({*metrics});
      present_.state = {};
    }
  } catch (const NotFinite& error) {
    out.trouble = error.what();
  }
  out.networks = std::move(present_.networks);
  if (out.trouble.empty()) out.summarize();
  to.push_back(std::move(out));
  present_ = {};
  return true;
}

bool FinalRuns::train(const ParameterSet& found, std::int64_t steps,
                      const TuningWork& work,
                      const std::function<void(const std::string&)>& progress,
                      const std::function<bool()>& go_on) {
  const Experiment& own = has_protocol() ? judge() : experiment_;
  if (networks_ == 0) {
    networks_ = networks_of_final_runs(
        config_of_judge_, final_run_count(config_, experiment_), steps, work);
  }
  /// Makes run number `i` of a list unless it exists.
  const auto run = [&](std::vector<FinalRun>& to, std::size_t i,
                       const std::string& words, const std::string& name,
                       const Experiment& experiment,
                       const ParameterSet& hyper) {
    if (i < to.size()) return true;
    progress(fmt::format(
        "{}, {} steps{}", words, steps,
        networks_ > 1 ? fmt::format(", {} networks", networks_) : ""));
    return train(to, name, experiment, as_judged(experiment, hyper), steps,
                 go_on);
  };
  const ParameterSet start = experiment_.initial_hyper();
  if (!run(tuning_, 0, "with the initial hyperparameters", "start", own,
           start)) {
    return false;
  }
  if (tuning_.size() == 1 && are_equal(start, found)) {
    tuning_.push_back(tuning_.front());  // to the last bit
    tuning_.back().name = "found";
  }
  if (!run(tuning_, 1, "with the found hyperparameters", "found", own, found)) {
    return false;
  }
  std::size_t i = 0;
  for (const Config& model : config_.object("record").objects("other_models")) {
    if (i++ < models_.size()) continue;
    if (!run(models_, i - 1,
             fmt::format("with the found hyperparameters and another model, {}",
                         model.type()),
             model.type(), with_model(model), found)) {
      return false;
    }
  }
  i = 0;
  for (const auto& [name, hyper] : experiment_.problem().baselines()) {
    if (!run(baselines_, i++, fmt::format("with the baseline {}", name), name,
             own, hyper)) {
      return false;
    }
  }
  return true;
}

void FinalRuns::clear() {
  tuning_.clear();
  models_.clear();
  baselines_.clear();
  networks_ = 0;
  present_ = {};
  seconds_ = 0;
}

void FinalRun::persist(Archive& archive) {
  archive("name", name);
  archive("metrics", metrics);
  archive("deviation", deviation);
  archive("trouble", trouble);
  archive("networks", networks);
}

void FinalRuns::Present::persist(Archive& archive) {
  archive("networks", networks);
  archive("state", state);
}

void FinalRuns::persist(Archive& archive) {
  archive("networks", networks_);
  archive("tuning", tuning_);
  archive("models", models_);
  archive("baselines", baselines_);
  archive("present", present_);
  if (has_budget()) archive("seconds", seconds_);
}

std::optional<WarmColdGap> WarmColdGap::between(const Metrics& tuned,
                                                const FinalRun& found) {
  for (const char* name :
       {"test_balanced_accuracy", "test_accuracy", "valid_balanced_accuracy",
        "valid_accuracy", "test_rmse", "valid_rmse", "test_loss",
        "valid_loss"}) {
    if (tuned.count(name) == 0 || found.metrics.count(name) == 0) continue;
    return WarmColdGap{name, tuned.at(name), found.metrics.at(name)};
  }
  return std::nullopt;
}

double WarmColdGap::gap() const {
  return is_larger_better(metric) ? joint - retrained : retrained - joint;
}

Json WarmColdGap::to_json() const {
  return {{"metric", metric},
          {"joint", joint},
          {"retrained", retrained},
          {"gap", gap()}};
}

std::string WarmColdGap::text() const {
  const std::string words = title_of(metric);
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
