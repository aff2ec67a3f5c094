#include "experiments/sweep/sweep_record.h"

#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {

Metrics numbers_of(const Json& json) {
  Metrics out;
  for (const auto& [name, value] : json.items()) {
    if (value.is_number()) out[name] = value.get<double>();
  }
  return out;
}

void SweepEntry::take_results(const Json& summary) {
  if (summary.contains("warnings")) summary["warnings"].get_to(warnings);
  summary.at("outer_steps").get_to(outer_steps);
  summary.at("seconds").at("tuning").get_to(tuning_seconds);
  summary.at("seconds").at("retraining").get_to(retraining_seconds);
  if (!good()) return;
  metrics = numbers_of(summary.value("retrained_found", summary.at("tuned")));
  const Json tuned = summary.value("hyperparameters", Json::object());
  for (const auto& [name, values] : tuned.items()) {
    const Json& value = values.at("found");
    if (value.is_number()) found[name] = value.get<double>();
  }
}

SweepEntry SweepEntry::from(const Json& line) {
  SweepEntry out;
  line.at("run").get_to(out.run);
  line.at("trial").get_to(out.trial);
  line.at("seed").get_to(out.seed);
  line.at("rung").get_to(out.rung);
  line.at("code").get_to(out.code);
  out.started = line.value("started", "");
  out.ended = line.value("ended", "");
  out.process_seconds = line.value("process_seconds", 0.0);
  out.rank = line.value("rank", 0);
  out.error = line.value("error", "");
  out.warnings = line.value("warnings", out.warnings);
  line.at("outer_steps").get_to(out.outer_steps);
  line.at("tuning_seconds").get_to(out.tuning_seconds);
  line.at("retraining_seconds").get_to(out.retraining_seconds);
  if (out.good()) {
    out.metrics = numbers_of(line.at("metrics"));
    out.found = numbers_of(line.value("found", Json::object()));
  }
  return out;
}

Json SweepEntry::json() const {
  Json out = {{"run", run},     {"trial", trial},
              {"seed", seed},   {"rung", rung},
              {"code", code},   {"started", started},
              {"ended", ended}, {"process_seconds", process_seconds},
              {"rank", rank}};
  out["outer_steps"] = outer_steps;
  out["tuning_seconds"] = tuning_seconds;
  out["retraining_seconds"] = retraining_seconds;
  if (!warnings.empty()) out["warnings"] = warnings;
  if (good()) {
    out["metrics"] = metrics;
    out["found"] = found;
  } else {
    out["error"] = error;
  }
  return out;
}

SweepRecord read_sweep(const std::string& folder) {
  SweepRecord out;
  out.folder = folder;
  const JsonFile file = JsonFile::read(folder + "/sweep.json");
  const Config config(complete(sweep_schema(), file.json()));
  out.sweep = config.json();
  const SweepPlan plan(config);
  out.dimensions = plan.main().dimensions;
  if (!plan.random().empty()) {
    out.random_dimensions = plan.random().front().dimensions;
  }
  out.metric = plan.metric();
  out.rungs = plan.rungs().size();
  for (std::size_t i = 0; i < plan.main().trials.size(); ++i) {
    out.trials.push_back(
        {plan.main().name(i), plan.main().trials[i], plan.seeds(), {}});
  }
  std::map<std::string, std::size_t> random_runs;  // index by name
  for (std::size_t s = 0; s < plan.random().size(); ++s) {
    const Arm& arm = plan.random()[s];
    for (std::size_t i = 0; i < arm.trials.size(); ++i) {
      const std::string name = arm.run(i, plan.seeds()[s]).name;
      random_runs[name] = out.random.size();
      out.random.push_back({name, arm.trials[i], {plan.seeds()[s]}, {}});
    }
  }
  const std::string lines = folder + "/runs.jsonl";
  if (!file_exists(lines)) return out;
  for (const Json& line : parse_json_lines(read_file(lines))) {
    const SweepEntry entry =
        as_written(folder, [&] { return SweepEntry::from(line); });
    const auto random = random_runs.find(entry.run);
    TrialRecord* trial = nullptr;
    if (random != random_runs.end()) {
      trial = &out.random[random->second];
    } else if (entry.trial < out.trials.size()) {
      trial = &out.trials[entry.trial];
    }
    require(trial != nullptr, "{}: there is no run '{}'", lines, entry.run);
    trial->runs[entry.seed] = entry;
  }
  return out;
}

}  // namespace nestgrad
