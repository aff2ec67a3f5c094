#include "experiments/sweep/sweep_results.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/platform/text.h"
#include "experiments/plot/chart.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

/// A value for which smaller is better; infinity if it is unknown.
double score(const Metrics& metrics, const std::string& metric) {
  const auto found = metrics.find(metric);
  return found == metrics.end() ? INFINITY : to_minimize(metric, found->second);
}

Json values_of(const TrialRecord& trial) {
  Json out = Json::object();
  for (const auto& [key, value] : trial.values) out[key] = value;
  return out;
}

Json json_of(const Statistics& s) {
  return {{"runs", s.count},
          {"mean", s.mean},
          {"standard_error", s.standard_error}};
}

std::string field_of(const Json& value) {
  return csv_field(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

Statistics Statistics::of(const std::vector<Metrics>& runs) {
  Statistics out;
  out.count = static_cast<std::int64_t>(runs.size());
  if (runs.empty()) return out;
  const auto n = static_cast<double>(runs.size());
  for (const auto& entry : runs.front()) {
    const std::string& name = entry.first;
    const bool everywhere =
        std::all_of(runs.begin(), runs.end(),
                    [&](const Metrics& m) { return m.count(name) > 0; });
    if (!everywhere) continue;
    double mean = 0, squares = 0;
    for (const Metrics& m : runs) mean += m.at(name) / n;
    for (const Metrics& m : runs) squares += std::pow(m.at(name) - mean, 2);
    out.mean[name] = mean;
    if (runs.size() > 1) {
      out.standard_error[name] = std::sqrt(squares / (n - 1) / n);
    }
  }
  return out;
}

Outcome::Outcome(const TrialRecord& trial, std::size_t last_rung) {
  std::vector<Metrics> runs, earlier;
  for (const auto& seed_and_run : trial.runs) {
    const SweepEntry& run = seed_and_run.second;
    outer_steps = std::max(outer_steps, run.outer_steps);
    seconds += run.seconds();
    if (!run.good()) {
      ++failed;
    } else {
      (run.rung == last_rung ? runs : earlier).push_back(run.metrics);
    }
  }
  statistics = Statistics::of(runs);
  if (runs.empty()) given_up = Statistics::of(earlier).mean;
}

SweepResults::SweepResults(const SweepRecord& record) : record_(record) {
  for (const TrialRecord& trial : record_.trials) {
    trials_.push_back({&trial, Outcome(trial, record_.rungs - 1)});
  }
  // A trial that was given up is worse than a complete one, and a trial with a
  // failed run is worse than one without.
  const auto rank = [&](const Trial& t) {
    return std::tuple(t.outcome.statistics.count == 0, t.outcome.failed > 0,
                      score(t.outcome.statistics.mean, record_.metric),
                      -t.outcome.outer_steps);
  };
  std::stable_sort(
      trials_.begin(), trials_.end(),
      [&](const Trial& a, const Trial& b) { return rank(a) < rank(b); });
  if (!record_.random.empty() && any()) compare();
}

bool SweepResults::any() const {
  return !trials_.empty() && trials_.front().outcome.statistics.count > 0;
}

std::size_t SweepResults::best() const {
  return static_cast<std::size_t>(trials_.front().record -
                                  record_.trials.data());
}

const SweepEntry& SweepResults::best_run() const {
  const SweepEntry* best = nullptr;
  for (const auto& [seed, run] : trials_.front().record->runs) {
    if (!run.good()) continue;
    if (best == nullptr || score(run.metrics, record_.metric) <
                               score(best->metrics, record_.metric)) {
      best = &run;
    }
  }
  require(best != nullptr, "{}: no run has ended well", record_.folder);
  return *best;
}

std::vector<std::string> SweepResults::short_keys() const {
  std::vector<std::string> keys;
  for (const Dimension& d : record_.dimensions) keys.push_back(d.key());
  return short_names(keys);
}

std::vector<SweepResults::Run> SweepResults::runs() const {
  const std::vector<std::string> names = short_keys();
  std::vector<Run> out;
  for (const Trial& trial : trials_) {
    Assignment values = trial.record->values;
    for (std::size_t i = 0; i < values.size(); ++i) values[i].first = names[i];
    const bool tell_seed = values.empty() || trial.record->seeds.size() > 1;
    for (const auto& [seed, run] : trial.record->runs) {
      if (!run.good()) continue;
      std::string name = describe(values);
      if (tell_seed) {
        name += fmt::format("{}seed {}", name.empty() ? "" : ", ", seed);
      }
      out.push_back({record_.folder + "/" + run.run, std::move(name)});
    }
  }
  return out;
}

void SweepResults::compare() {
  std::vector<Metrics> best_runs, random_runs;
  for (const auto& [seed, run] : trials_.front().record->runs) {
    if (!run.good()) continue;
    const double budget = run.seconds();
    double spent = 0;
    std::int64_t count = 0;
    Metrics best;
    std::vector<std::pair<double, double>> course;
    for (const TrialRecord& trial : record_.random) {
      if (trial.seeds.front() != seed) continue;
      const auto found = trial.runs.find(seed);
      if (found == trial.runs.end()) break;
      spent += found->second.seconds();
      // The first trial counts in any case.
      if (count > 0 && spent > budget) break;
      ++count;
      const Metrics metrics = found->second.metrics;
      if (count == 1 ||
          score(metrics, record_.metric) < score(best, record_.metric)) {
        best = metrics;
      }
      course.emplace_back(
          spent, to_minimize(record_.metric, score(best, record_.metric)));
    }
    if (count == 0) continue;
    best_runs.push_back(run.metrics);
    random_runs.push_back(best);
    comparison_.trials.push_back(count);
    comparison_.budgets.push_back(budget);
    comparison_.seconds.push_back(course.back().first);
    comparison_.course.push_back(std::move(course));
  }
  comparison_.best_trial = Statistics::of(best_runs);
  comparison_.random = Statistics::of(random_runs);
}

Json SweepResults::json() const {
  Json out = {{"metric", record_.metric},
              {"dimensions", Json::array()},
              {"trials", Json::array()}};
  const std::vector<std::string> names = short_keys();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Dimension& d = record_.dimensions[i];
    out["dimensions"].push_back({{"key", d.key()},
                                 {"name", names[i]},
                                 {"logarithmic", d.logarithmic()}});
  }
  for (const Trial& trial : trials_) {
    Json entry = {{"trial", trial.record->name},
                  {"values", values_of(*trial.record)}};
    entry.update(json_of(trial.outcome.statistics));
    if (!trial.outcome.given_up.empty()) {
      entry["given_up"] = trial.outcome.given_up;
    }
    entry["failed"] = trial.outcome.failed;
    entry["outer_steps"] = trial.outcome.outer_steps;
    entry["seconds"] = trial.outcome.seconds;
    out["trials"].push_back(std::move(entry));
  }
  if (any()) {
    out["best_run"] = {{"run", best_run().run}, {"found", best_run().found}};
  }
  if (comparison_.trials.empty()) return out;
  out["random_search"] = {{"best_trial", json_of(comparison_.best_trial)},
                          {"random", json_of(comparison_.random)},
                          {"trials", comparison_.trials},
                          {"seconds", comparison_.seconds},
                          {"budgets", comparison_.budgets}};
  return out;
}

std::string SweepResults::csv() const {
  std::vector<std::string> names;
  for (const Trial& trial : trials_) {
    for (const auto& entry : trial.outcome.statistics.mean) {
      if (std::count(names.begin(), names.end(), entry.first) == 0) {
        names.push_back(entry.first);
      }
    }
  }
  std::string out = "trial";
  for (const Dimension& d : record_.dimensions) out += "," + csv_field(d.key());
  out += ",runs,failed,outer_steps,seconds";
  for (const std::string& name : names) {
    out += fmt::format(",{},{}", csv_field(name),
                       csv_field(name + "_standard_error"));
  }
  out += "\n";
  for (const Trial& trial : trials_) {
    out += trial.record->name;
    for (const auto& entry : trial.record->values) {
      out += "," + field_of(entry.second);
    }
    out += fmt::format(",{},{},{},{}", trial.outcome.statistics.count,
                       trial.outcome.failed, trial.outcome.outer_steps,
                       trial.outcome.seconds);
    for (const std::string& name : names) {
      for (const Metrics* of : {&trial.outcome.statistics.mean,
                                &trial.outcome.statistics.standard_error}) {
        const auto found = of->find(name);
        out += found == of->end() ? "," : fmt::format(",{}", found->second);
      }
    }
    out += "\n";
  }
  return out;
}

void SweepResults::write(const RunFolder& folder) const {
  folder.write("results.json", json());
  write_file(folder.file("results.csv"), csv());
  if (comparison_.trials.empty()) return;
  Panel panel;
  panel.title = "best " + record_.metric + " so far, by seconds";
  panel.x_label = "seconds";
  std::size_t i = 0;
  for (const auto& [seed, run] : trials_.front().record->runs) {
    if (!run.good() || i == comparison_.course.size()) continue;
    // The metric of the tuned weights over time, from the run's own record.
    Curve tuned{fmt::format("tuned, seed {}", seed), {}, {}};
    const std::string metrics = folder.file(run.run + "/metrics.jsonl");
    double best = INFINITY;
    for (const Json& line : parse_json_lines(read_file(metrics))) {
      const auto value = line.find(kEvaluated + record_.metric);
      if (value == line.end() || !value->is_number()) continue;
      best = std::min(best, to_minimize(record_.metric, value->get<double>()));
      tuned.x.push_back(line.at("seconds"));
      tuned.y.push_back(to_minimize(record_.metric, best));
    }
    Curve random{fmt::format("random, seed {}", seed), {}, {}};
    for (const auto& [seconds, value] : comparison_.course[i]) {
      // A step function: nothing is known before a trial ends.
      if (!random.y.empty()) {
        random.x.push_back(seconds);
        random.y.push_back(random.y.back());
      }
      random.x.push_back(seconds);
      random.y.push_back(value);
    }
    panel.curves.push_back(std::move(tuned));
    panel.curves.push_back(std::move(random));
    ++i;
  }
  draw_chart(folder.file("comparison.png"),
             std::filesystem::path(folder.path()).filename().string(), {panel});
}

}  // namespace nestgrad
