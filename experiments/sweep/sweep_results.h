#pragma once

#include <string>
#include <vector>

#include "core/problem.h"
#include "experiments/record/run_folder.h"
#include "experiments/sweep/sweep_record.h"

namespace nestgrad {

/// Mean and standard error (standard deviation / sqrt(n)) over runs.
struct Statistics {
  Metrics mean, standard_error;
  std::int64_t count = 0;

  /// The statistics of `runs`. The standard error of a single run is unknown.
  static Statistics of(const std::vector<Metrics>& runs);
};

/// The result of one trial.
struct Outcome {
  /// `last_rung`: the rung that a complete run reaches.
  Outcome(const TrialRecord& trial, std::size_t last_rung);

  Statistics statistics;  ///< over the runs that reached the last rung

  /// Means where a trial was given up; empty for one that reached the end.
  Metrics given_up;
  std::int64_t failed = 0;
  std::int64_t outer_steps = 0;  ///< largest number over its runs
  double seconds = 0;            ///< sum over its runs
};

/// The results of a sweep: trials, best first, and how good a random search is
/// in the same time.
class SweepResults {
 public:
  explicit SweepResults(const SweepRecord& record);
  SweepResults(const SweepResults&) = delete;
  SweepResults& operator=(const SweepResults&) = delete;

  /// Whether any run finished.
  bool any() const;

  /// The index of the best trial in the record.
  std::size_t best() const;

  /// A run that did not fail.
  struct Run {
    std::string folder;
    std::string name;  ///< its values and seed: "lr=0.012 window=20, seed 1"
  };

  /// All of them. Those of the best trial come first.
  std::vector<Run> runs() const;

  /// Writes results.json, results.csv and, after a random search,
  /// comparison.png.
  void write(const RunFolder& folder) const;

  Json json() const;
  std::string csv() const;

  /// Tables of at most 100 columns, as far as names and values allow it, and
  /// the hyperparameters that the best run has found.
  std::string text() const;

 private:
  struct Trial {
    const TrialRecord* record;
    Outcome outcome;
  };

  /// For every seed, the best trial of a random search by the metric, among
  /// those that fit into the time of the best trial with this seed.
  struct Comparison {
    Statistics best_trial, random;
    std::vector<std::int64_t> trials;      ///< number that fit, by seed
    std::vector<double> seconds, budgets;  ///< by seed
    std::vector<std::vector<std::pair<double, double>>> course;
    ///< by seed: seconds, and the best metric so far
  };

  void compare();

  /// Short names of the keys that are varied.
  std::vector<std::string> short_keys() const;

  /// The best run of the best trial.
  const SweepEntry& best_run() const;

  // Parts of text().
  std::string trials_text() const;
  std::string comparison_text() const;
  std::string found_text() const;

  SweepRecord record_;
  std::vector<Trial> trials_;  // the best first
  Comparison comparison_;      // empty without a random search
};

}  // namespace nestgrad
