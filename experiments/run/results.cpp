#include "experiments/run/results.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <optional>

#include "core/platform/files.h"
#include "core/platform/memory_meter.h"
#include "experiments/record/table.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Small sets in natural units, as nested lists of numbers.
Json hyperparameters_json(const ParameterSet& natural) {
  Json out = Json::object();
  for (std::size_t i = 0; i < natural.size(); ++i) {
    const Tensor t =
        natural.tensors()[i].to(at::kCPU).to(at::kDouble).contiguous();
    const double* const data = t.data_ptr<double>();
    if (t.dim() == 0) {
      out[natural.name(i)] = *data;
    } else {
      out[natural.name(i)] = std::vector<double>(data, data + t.numel());
    }
  }
  return out;
}

constexpr std::int64_t kSmall = 1000;  // numbers that a JSON file may list

/// The distance between the weights of tuning and those trained from scratch
/// under the hyperparameters found, if there are both.
std::optional<WarmColdGap> warm_cold_gap(const Metrics& tuned,
                                         const FinalRuns& runs) {
  if (runs.tuning().size() < 2) return {};
  WarmColdGap gap(tuned, runs.tuning().back());
  if (gap.metric.empty()) return {};
  return gap;
}

}  // namespace

void Results::write(const RunFolder& folder, const ParameterSet& hyper) const {
  const ParameterSet natural = experiment.natural(hyper);
  folder.write("hyperparameters.safetensors", natural);
  if (natural.numel() <= kSmall) {
    folder.write("hyperparameters.json", hyperparameters_json(natural));
  }
  folder.write("weights.safetensors", experiment.weights(hyper));
  draw_chart(folder.file("trajectory.png"),
             std::filesystem::path(folder.path()).filename().string(),
             recorder.panels());
  if (examples == nullptr) return;
  write_learned_examples(folder, experiment.problem().learned_examples(hyper));
  if (const std::string strip = examples->draw(); !strip.empty()) {
    write_file(folder.file("distilled_over_time.png"), strip);
  }
}

Json Results::summary(const Ending& ending) const {
  Json summary = {{"termination", ending.termination},
                  {"message", ending.message},
                  {"outer_steps", ending.steps},
                  {"tuned", ending.tuned}};
  for (const FinalRun& run : final_runs.tuning()) {
    summary["retrained_" + run.name] = run.json();
  }
  for (const FinalRun& run : final_runs.models()) {
    summary["other_models"].push_back(
        {{"model", run.name}, {"retrained", run.json()}});
  }
  for (const FinalRun& run : final_runs.baselines()) {
    summary["baselines"][run.name] = run.json();
  }
  if (const auto gap = warm_cold_gap(ending.tuned, final_runs)) {
    summary["warm_cold_gap"] = gap->json();
  }
  summary["train_gradients"] = experiment.problem().train_losses();
  summary["valid_gradients"] = experiment.problem().valid_losses();
  summary["hessian_products"] = static_cast<std::int64_t>(estimates.products());
  summary["estimator"] = estimates.json();
  summary["seconds"] = {{"tuning", ending.tuning_seconds},
                        {"retraining", ending.retraining_seconds}};
  summary["peak_memory_mib"] = peak_memory_mib();
  summary["peak_tensor_mib"] = mebibytes(ending.peak_bytes);
  return summary;
}

std::string Results::text(const Ending& ending) const {
  std::vector<Row> rows{{"weights while tuning", ending.tuned}};
  const auto add = [&](const char* group, const std::vector<FinalRun>& runs) {
    for (const FinalRun& run : runs) {
      rows.push_back(
          {fmt::format("{}, {}", group, run.name), run.metrics, run.deviation});
    }
  };
  add("retrained", final_runs.tuning());
  add("other model", final_runs.models());
  add("baseline", final_runs.baselines());
  std::string out = fmt::format("\n{}\n", format_table(rows));
  if (const auto gap = warm_cold_gap(ending.tuned, final_runs)) {
    out += fmt::format("{:20}{}\n", "warm/cold gap", gap->text());
  }
  return out + fmt::format("{}\n{}", estimates.text(),
                           format_hyperparameters(
                               experiment.natural(experiment.initial_hyper()),
                               experiment.natural(ending.hyper)));
}

std::vector<std::string> Results::troubles() const {
  std::vector<std::string> out;
  const auto add = [&](const std::vector<FinalRun>& runs, const char* what) {
    for (const FinalRun& run : runs) {
      if (run.trouble.empty()) continue;
      out.push_back(fmt::format("diverged: training from scratch, {} {}: {}",
                                what, run.name, run.trouble));
    }
  };
  add(final_runs.tuning(), "hyperparameters");
  add(final_runs.models(), "other model");
  add(final_runs.baselines(), "baseline");
  return out;
}

}  // namespace nestgrad
