#include "experiments/sweep/record.h"

#include <filesystem>

#include "core/files.h"
#include "experiments/json_lines.h"
#include "experiments/sweep/plan.h"

namespace nestgrad {

double seconds_of(const Json& run) {
  return run.value("tuning_seconds", 0.0) +
         run.value("retraining_seconds", 0.0);
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
  out.rungs = static_cast<std::int64_t>(plan.rungs().size());
  const auto trials_of = [&](const Arm& arm) {
    std::vector<TrialRecord> trials;
    for (std::size_t i = 0; i < arm.trials.size(); ++i) {
      trials.push_back({arm.name(i), arm.trials[i], plan.seeds(), {}});
    }
    return trials;
  };
  out.trials = trials_of(plan.main());
  out.random = trials_of(plan.random());
  std::vector<Json> entries;
  const std::string lines = folder + "/runs.jsonl";
  if (std::filesystem::exists(lines)) entries = parse_json_lines(read_file(lines));
  for (const Json& entry : entries) {
    const auto name = entry.at("run").get<std::string>();
    auto& trials = name.rfind("random-", 0) == 0 ? out.random : out.trials;
    trials.at(entry.at("trial").get<std::size_t>())
        .runs[entry.at("seed").get<std::int64_t>()] = entry;
  }
  return out;
}

}  // namespace nestgrad
