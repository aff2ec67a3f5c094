#include "experiments/run/results.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "core/platform/files.h"
#include "core/platform/memory_meter.h"
#include "core/platform/warnings.h"
#include "experiments/plot/plane.h"
#include "experiments/record/examples/samples.h"
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

/// A sentence on each hyperparameter that has not moved in `steps` outer steps,
/// in their own units.
std::vector<std::string> unmoved_in(std::int64_t steps,
                                    const ParameterSet& start,
                                    const ParameterSet& last) {
  std::vector<std::string> out;
  if (steps == 0) return out;
  for (std::size_t i = 0; i < start.size(); ++i) {
    const std::string& name = start.name(i);
    if (!at::equal(start.tensors()[i], last.at(name))) continue;
    out.push_back(fmt::format(
        "'{}' did not move in {}: its hypergradient was zero{}", name,
        steps == 1 ? "one outer step" : fmt::format("{} outer steps", steps),
        steps == 1 ? ""
                   : " in each; 'nestgrad check' tells what the estimator "
                     "sees of it"));
  }
  return out;
}

}  // namespace

std::string Selected::text(std::int64_t steps) const {
  if (!is_best()) return fmt::format("outer step {}, the last", step);
  const std::string loss =
      fmt::format("{} {}",
                  metric == "valid_loss"   ? "validation loss"
                  : metric == "outer_loss" ? "estimated loss"
                                           : title_of(metric),
                  format_metric(metric, value));
  const std::string of = candidates == 1
                             ? "the only evaluation"
                             : fmt::format("{} evaluations", candidates);
  if (is_start()) {
    return fmt::format("the start (outer step {} of {}), the best of {}: {}",
                       step, steps, of, loss);
  }
  return fmt::format("outer step {} of {}, the best of {}: {}", step, steps, of,
                     loss);
}

Json Selected::to_json() const {
  Json out = {{"select", is_best() ? "best" : "last"}, {"step", step}};
  if (is_best()) {
    out.update(Json{
        {"metric", metric}, {"value", value}, {"evaluations", candidates}});
  }
  return out;
}

void Results::write(const RunFolder& folder, const HandedOut& found) const {
  const ParameterSet& hyper = found.hyper;
  const ParameterSet natural = experiment.natural(hyper);
  folder.write("hyperparameters.safetensors", natural);
  if (natural.numel() <= kSmall) {
    folder.write("hyperparameters.json", hyperparameters_json(natural));
  }
  folder.write("weights.safetensors", found.weights);
  const Json network = experiment.problem().network(hyper);
  if (!network.empty()) folder.write("network.json", network);
  const std::string name =
      std::filesystem::path(folder.path()).filename().string();
  draw_chart(folder.file("trajectory.png"), name, recorder.panels(natural));
  if (const Curve& path = recorder.path(); !path.x.empty()) {
    const auto [x, y] = experiment.problem().plane();
    draw_plane(folder.file("plane.png"), {name, x, y, {path}});
  }
  write_samples(folder, experiment.problem(), experiment.initial_hyper(),
                hyper);
  if (examples == nullptr) return;
  const SoftExamples learned = experiment.problem().learned_examples(hyper);
  write_learned_examples(folder, learned);
  const std::string strip = examples->draw(found.selected.moves, learned);
  if (!strip.empty()) {
    write_file(folder.file("distilled_over_time.png"), strip);
  }
}

RunSummary Results::summary(const Ending& ending) const {
  RunSummary out;
  out.ending = ending;
  out.number_names = recorder.number_names();
  out.start = experiment.natural(experiment.initial_hyper());
  out.found = experiment.natural(ending.hyper);
  out.retrained = final_runs.tuning();
  out.other_models = final_runs.models();
  out.baselines = final_runs.baselines();
  if (out.retrained.size() == 2 && !final_runs.has_protocol()) {
    out.gap = WarmColdGap::between(ending.tuned, out.retrained.back());
  }
  out.train_gradients = experiment.problem().train_losses();
  out.valid_gradients = experiment.problem().valid_losses();
  out.estimates = estimates.report();
  out.peak_memory_mib = peak_memory_mib();
  out.warnings = warnings();
  out.unmoved = unmoved_in(ending.steps, out.start,
                           experiment.natural(experiment.hyper()));
  if (out.retrained.size() == 2) out.verdict = verdict(out);
  if (ending.termination != "stopped" && ending.termination != "diverged") {
    out.outcomes = experiment.problem().outcomes(ending.hyper);
  }
  return out;
}

std::optional<Verdict> Results::verdict(const RunSummary& summary) const {
  const Ending& ending = summary.ending;
  const Selected& selected = ending.selected;
  VerdictFacts facts{summary.retrained.front(), summary.retrained.back(),
                     experiment.judged_metric(),
                     final_runs.has_protocol() ? Metrics() : ending.tuned,
                     ending.steps};
  facts.start_is_best = selected.is_start();
  facts.last_is_best =
      selected.is_best() && selected.step == selected.last_candidate;
  facts.trained_less = selected.warm_start && !facts.last_is_best;
  for (const TunedHyper& hyper : recorder.hypers()) {
    if (hyper.is_at_end(summary.found.at(hyper.name)) &&
        !hyper.is_at_end(summary.start.at(hyper.name))) {
      facts.at_ends.push_back(hyper.name);
    }
  }
  facts.estimator_trouble = summary.estimates.meaning();
  return verdict_on(facts);
}

Json RunSummary::to_json() const {
  Json out = {{"termination", ending.termination},
              {"message", ending.message},
              {"outer_steps", ending.steps},
              {"selected", ending.selected.to_json()},
              {"tuned", ending.tuned}};
  for (const FinalRun& run : retrained) {
    out["retrained_" + run.name] = run.to_json();
  }
  for (const FinalRun& run : other_models) {
    out["other_models"].push_back(
        {{"model", run.name}, {"retrained", run.to_json()}});
  }
  for (const FinalRun& run : baselines) {
    out["baselines"][run.name] = run.to_json();
  }
  for (const auto& [name, metrics] : outcomes) {
    out["outcomes"].push_back({{"name", name}, {"metrics", metrics}});
  }
  if (verdict) out["verdict"] = verdict->to_json();
  if (gap) out["warm_cold_gap"] = gap->to_json();
  std::vector<std::string> all = warnings;
  all.insert(all.end(), unmoved.begin(), unmoved.end());
  if (!all.empty()) out["warnings"] = all;
  const auto before = summary_of(start, number_names);
  const auto after = summary_of(found, number_names);
  for (std::size_t i = 0; i < after.size(); ++i) {
    out["hyperparameters"][after[i].first] = {{"start", before[i].second},
                                              {"found", after[i].second}};
  }
  out["train_gradients"] = train_gradients;
  out["valid_gradients"] = valid_gradients;
  out["hessian_products"] = static_cast<std::int64_t>(estimates.products);
  out["estimator"] = estimates.to_json();
  out["seconds"] = {{"tuning", ending.tuning_seconds},
                    {"retraining", ending.retraining_seconds}};
  out["peak_memory_mib"] = peak_memory_mib;
  out["peak_tensor_mib"] = mebibytes(ending.peak_bytes);
  return out;
}

std::string RunSummary::text() const {
  std::vector<Row> rows{{"weights while tuning", ending.tuned}};
  const auto add = [&](const char* group, const std::vector<FinalRun>& runs) {
    for (const FinalRun& run : runs) {
      rows.push_back(
          {fmt::format("{}, {}", group, run.name), run.metrics, run.deviation});
    }
  };
  add("retrained", retrained);
  add("other model", other_models);
  add("baseline", baselines);
  std::string out = fmt::format("\n{}\n", format_table(rows));
  if (!outcomes.empty()) {
    std::vector<Row> each;
    for (const auto& [name, metrics] : outcomes)
      each.push_back({name, metrics});
    out += fmt::format("{}\n", format_table(each));
  }
  if (!found.empty()) {
    out += fmt::format("{:20}{}\n", "handed out",
                       ending.selected.text(ending.steps));
  }
  if (gap) out += fmt::format("{:20}{}\n", "warm/cold gap", gap->text());
  return out + fmt::format("{}\n{}", estimates.text(),
                           format_hyperparameters(start, found, number_names));
}

std::vector<std::string> RunSummary::troubles() const {
  std::vector<std::string> out;
  const auto add = [&](const std::vector<FinalRun>& runs, const char* what) {
    for (const FinalRun& run : runs) {
      if (run.trouble.empty()) continue;
      out.push_back(fmt::format("diverged: training from scratch, {} {}: {}",
                                what, run.name, run.trouble));
    }
  };
  add(retrained, "hyperparameters");
  add(other_models, "other model");
  add(baselines, "baseline");
  out.insert(out.end(), unmoved.begin(), unmoved.end());
  return out;
}

}  // namespace nestgrad
