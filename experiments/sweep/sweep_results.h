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

  /// Those of `runs`, each with its metrics; the error of one run is unknown.
  static Statistics of(const std::vector<Metrics>& runs);
};

/// What came of one trial.
struct Outcome {
  /// `last_rung`: what runs have to come to.
  Outcome(const TrialRecord& trial, std::size_t last_rung);

  Statistics statistics;  ///< of the runs that came to the last rung
  std::int64_t failed = 0;
  std::int64_t outer_steps = 0;  ///< the most that a run made
  double seconds = 0;            ///< of all its runs
};

/// What a sweep has found out: trials, the best first, and how much a random
/// search finds within the same time.
class SweepResults {
 public:
  explicit SweepResults(const SweepRecord& record);
  SweepResults(const SweepResults&) = delete;
  SweepResults& operator=(const SweepResults&) = delete;

  /// Whether any run came to its end.
  bool any() const;

  /// The place of the best trial among those of the record.
  std::size_t best() const;

  /// The folders of runs that did not fail, those of the best trial first.
  std::vector<std::string> folders() const;

  /// results.json, results.csv and, after a random search, comparison.png.
  void write(const RunFolder& folder) const;

  Json json() const;
  std::string csv() const;
  std::string text() const;

 private:
  struct Trial {
    const TrialRecord* record;
    Outcome outcome;
  };

  /// The best of a random search by the metric, for every seed, among those
  /// trials that the time of the best trial with this seed allows.
  struct Comparison {
    Statistics best_trial, random;
    std::vector<std::int64_t> trials;      ///< that fit, by seed
    std::vector<double> seconds, budgets;  ///< by seed
    std::vector<std::vector<std::pair<double, double>>> course;
    ///< by seed: seconds, and the metric of the best so far
  };

  void compare();

  SweepRecord record_;
  std::vector<Trial> trials_;  // the best first
  Comparison comparison_;      // empty without a random search
};

}  // namespace nestgrad
