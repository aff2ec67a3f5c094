#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/problem.h"
#include "experiments/sweep/search.h"

namespace nestgrad {

/// The finite numbers of a JSON object. Others are null there and left out.
Metrics numbers_of(const Json& json);

/// A line of runs.jsonl: the result of one process.
struct SweepEntry {
  std::string run;  ///< the name of its folder
  std::size_t trial = 0;
  std::int64_t seed = 0;
  std::size_t rung = 0;  ///< of successive halving; see SweepPlan::rungs()
  int code = 0;          ///< its exit code
  std::string started = {}, ended = {};  ///< UTC
  double process_seconds = 0;
  int rank = 0;            ///< of the sweep's process
  std::string error = {};  ///< its last output, if it failed

  // For a run that ended well or diverged.
  std::vector<std::string> warnings = {};
  std::int64_t outer_steps = 0;
  double tuning_seconds = 0, retraining_seconds = 0;

  // For a run that ended well.
  Metrics metrics = {};
  Metrics found = {};  ///< the hyperparameters, as summary_of() shows them

  bool good() const { return code == 0; }
  double seconds() const { return tuning_seconds + retraining_seconds; }

  /// Takes results from the run's summary.json.
  void take_results(const Json& summary);

  static SweepEntry from(const Json& line);
  Json json() const;
};

/// A trial of a sweep and the results of its runs.
struct TrialRecord {
  std::string name;  ///< "trial-0001"
  Assignment values;
  std::vector<std::int64_t> seeds;
  std::map<std::int64_t, SweepEntry> runs;  ///< by seed, the latest of each
};

/// The contents of a sweep's folder: the varied keys, and every trial with its
/// runs so far.
struct SweepRecord {
  std::string folder;
  Json sweep;  ///< sweep.json
  std::string metric;
  std::size_t rungs = 1;
  std::vector<Dimension> dimensions, random_dimensions;
  std::vector<TrialRecord> trials;

  /// The trials of the random search, each with one seed.
  std::vector<TrialRecord> random;
};

/// Throws Error if the folder does not belong to a sweep.
SweepRecord read_sweep(const std::string& folder);

}  // namespace nestgrad
