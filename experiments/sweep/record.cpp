#include "experiments/sweep/record.h"

#include <filesystem>

#include "core/files.h"
#include "experiments/json_lines.h"
#include "experiments/sweep/plan.h"

namespace nestgrad {

Metrics numbers_of(const Json& json) {
  Metrics out;
  for (const auto& [name, value] : json.items()) {
    if (value.is_number()) out[name] = value.get<double>();
  }
  return out;
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
  out.error = line.value("error", "");
  line.at("outer_steps").get_to(out.outer_steps);
  line.at("tuning_seconds").get_to(out.tuning_seconds);
  line.at("retraining_seconds").get_to(out.retraining_seconds);
  if (out.good()) out.metrics = numbers_of(line.at("metrics"));
  return out;
}

Json SweepEntry::json() const {
  Json out = {{"run", run},    {"trial", trial}, {"seed", seed},
              {"rung", rung},  {"code", code},   {"started", started},
              {"ended", ended}};
  out["outer_steps"] = outer_steps;
  out["tuning_seconds"] = tuning_seconds;
  out["retraining_seconds"] = retraining_seconds;
  if (good()) {
    out["metrics"] = metrics;
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
  out.random_dimensions = plan.random().dimensions;
  out.metric = plan.metric();
  out.rungs = plan.rungs().size();
  const auto trials_of = [&](const Arm& arm) {
    std::vector<TrialRecord> trials;
    for (std::size_t i = 0; i < arm.trials.size(); ++i) {
      trials.push_back({arm.name(i), arm.trials[i], plan.seeds(), {}});
    }
    return trials;
  };
  out.trials = trials_of(plan.main());
  out.random = trials_of(plan.random());
  const std::string lines = folder + "/runs.jsonl";
  if (!std::filesystem::exists(lines)) return out;
  for (const Json& line : parse_json_lines(read_file(lines))) {
    const SweepEntry entry =
        as_written(folder, [&] { return SweepEntry::from(line); });
    auto& trials = entry.run.rfind("random-", 0) == 0 ? out.random : out.trials;
    require(entry.trial < trials.size(), "{}: there is no run '{}'", lines,
            entry.run);
    trials[entry.trial].runs[entry.seed] = entry;
  }
  return out;
}

}  // namespace nestgrad
