#include "experiments/export/optuna.h"

#include "core/metric.h"
#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"
#include "experiments/sweep/sweep_results.h"

namespace nestgrad {
namespace {

// Constants of Optuna's journal, version 3.1 and later.
enum Operation {
  kCreateStudy = 0,
  kCreateTrial = 4,
  kSetParameter = 5,
  kSetState = 6,
  kSetIntermediateValue = 7,
  kSetUserAttribute = 8
};
enum Direction { kMinimize = 1, kMaximize = 2 };
enum State { kRunning = 0, kComplete = 1, kPruned = 2, kFail = 3 };

/// A value in the form of an Optuna choice: scalars unchanged, others as text.
Json choice(const Json& value) {
  return value.is_structured() ? Json(value.dump()) : value;
}

Json distribution(const Dimension& d) {
  if (!d.values().empty()) {
    Json choices = Json::array();
    for (const Json& value : d.values()) choices.push_back(choice(value));
    return {{"name", "CategoricalDistribution"},
            {"attributes", {{"choices", choices}}}};
  }
  if (d.whole()) {
    return {{"name", "IntDistribution"},
            {"attributes",
             {{"log", d.logarithmic()},
              {"step", 1},
              {"low", static_cast<std::int64_t>(d.low())},
              {"high", static_cast<std::int64_t>(d.high())}}}};
  }
  return {{"name", "FloatDistribution"},
          {"attributes",
           {{"step", nullptr},
            {"low", d.low()},
            {"high", d.high()},
            {"log", d.logarithmic()}}}};
}

/// Optuna's number for a value: its index among choices, or the value itself.
double internal_value(const Dimension& d, const Json& value) {
  if (d.values().empty()) return value.get<double>();
  for (std::size_t i = 0; i < d.values().size(); ++i) {
    if (d.values()[i] == value) return static_cast<double>(i);
  }
  throw Error(
      fmt::format("{}: {} is not one of its values", d.key(), value.dump()));
}

/// "2026-11-24T23:00:00Z" in Optuna's format.
std::string time(const std::string& utc) {
  const std::string text = utc.empty() ? "1970-01-01T00:00:00Z" : utc;
  return text.substr(0, text.size() - 1) + ".000000";
}

class Journal {
 public:
  explicit Journal(const SweepRecord& record) : record_(record) {}

  void study(const std::string& name, const std::vector<Dimension>& dimensions,
             const std::vector<TrialRecord>& trials, std::size_t last_rung) {
    last_rung_ = last_rung;
    add(kCreateStudy,
        {{"study_name", name},
         {"directions",
          {is_larger_better(record_.metric) ? kMaximize : kMinimize}}});
    for (const TrialRecord& trial : trials) {
      if (!trial.runs.empty()) this->trial(dimensions, trial);
    }
    ++studies_;
  }

  std::string text() && { return std::move(text_); }

 private:
  void add(Operation operation, const Json& fields) {
    Json line = {{"op_code", operation}, {"worker_id", "nestgrad"}};
    line.update(fields);
    text_ += line.dump() + "\n";
  }

  void parameter(const std::string& name, const Dimension& d,
                 const Json& value) {
    add(kSetParameter, {{"trial_id", trials_},
                        {"param_name", name},
                        {"param_value_internal", internal_value(d, value)},
                        {"distribution", distribution(d).dump()}});
  }

  void trial(const std::vector<Dimension>& dimensions,
             const TrialRecord& trial) {
    const SweepEntry& first = trial.runs.begin()->second;
    const SweepEntry& last = trial.runs.rbegin()->second;
    add(kCreateTrial,
        {{"study_id", studies_}, {"datetime_start", time(first.started)}});
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      const auto& [key, value] = trial.values[i];
      if (dimensions[i].count() == 0) {
        parameter(key, dimensions[i], value);
        continue;
      }
      for (std::size_t k = 0; k < value.size(); ++k) {
        parameter(fmt::format("{}.{}", key, k), dimensions[i], value[k]);
      }
    }
    const Outcome outcome(trial, last_rung_);
    const auto attribute = [&](const char* name, const Json& value) {
      add(kSetUserAttribute,
          {{"trial_id", trials_}, {"user_attr", {{name, value}}}});
    };
    attribute("trial", trial.name);
    attribute("mean", outcome.statistics.mean);
    attribute("standard_error", outcome.statistics.standard_error);
    attribute("seconds", outcome.seconds);
    intermediate_values(first);

    const auto value = outcome.statistics.mean.find(record_.metric);
    const bool known = value != outcome.statistics.mean.end();
    const State state = outcome.failed > 0 ? kFail
                        : known            ? kComplete
                                           : kPruned;
    add(kSetState,
        {{"trial_id", trials_},
         {"state", state},
         {"values", state == kComplete ? Json{value->second} : Json()},
         {"datetime_complete", time(last.ended)}});
    ++trials_;
  }

  void intermediate_values(const SweepEntry& run) {
    const std::string path = record_.folder + "/" + run.run + "/metrics.jsonl";
    if (!file_exists(path)) return;
    for (const Json& line : parse_json_lines(read_file(path))) {
      const auto value = line.find(kEvaluated + record_.metric);
      if (value == line.end() || !value->is_number()) continue;
      add(kSetIntermediateValue, {{"trial_id", trials_},
                                  {"step", line.at("step")},
                                  {"intermediate_value", *value}});
    }
  }

  const SweepRecord& record_;
  std::string text_;
  std::size_t last_rung_ = 0;  // of the study
  int studies_ = 0, trials_ = 0;
};

}  // namespace

std::string optuna_journal(const SweepRecord& record) {
  return as_written(record.folder, [&] {
    Journal journal(record);
    const std::string name = folder_name(record.folder);
    journal.study(name, record.dimensions, record.trials, record.rungs - 1);
    if (!record.random.empty()) {
      journal.study(name + "-random", record.random_dimensions, record.random,
                    0);
    }
    return std::move(journal).text();
  });
}

}  // namespace nestgrad
