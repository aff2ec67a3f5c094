#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "experiments/sweep/search.h"

namespace nestgrad {

/// One trial of a sweep and what came of its runs.
struct TrialRecord {
  std::string name;  ///< "trial-0001"
  Assignment values;
  std::vector<std::int64_t> seeds;
  std::map<std::int64_t, Json> runs;  ///< by seed, the last line of runs.jsonl
};

/// What the folder of a sweep says: what is varied, and every trial with its
/// runs so far.
struct SweepRecord {
  std::string folder;
  Json sweep;  ///< sweep.json
  std::string metric;
  std::int64_t rungs = 1;
  std::vector<Dimension> dimensions, random_dimensions;
  std::vector<TrialRecord> trials, random;  ///< those of the random search
};

/// Throws Error if no sweep began in this folder.
SweepRecord read_sweep(const std::string& folder);

/// The seconds that the result of a run took; an entry of TrialRecord::runs.
double seconds_of(const Json& run);

}  // namespace nestgrad
