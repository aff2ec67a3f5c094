#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/run/runner.h"

namespace nestgrad {

struct SweepOptions {
  std::string folder;                ///< "": runs/NAME-N
  int workers = 0;                   ///< 0: the number in the file
  std::vector<std::string> allowed;  ///< see ResumeOptions
  Talk talk;
};

/// Runs a configuration with different values and seeds, each run in its own
/// process, and compares the results. Returns the exit code: kExitDone,
/// kExitDiverged if no run finished, or 128 + n after signal n. The keys and
/// values of all configurations are checked before anything is started.
///
/// Files in the folder:
///
///   sweep.json      the file, with all defaults and the configuration itself
///   configs/, logs/ configuration and output of each run
///   NAME/           the folder of each run: trial-0001-seed-1, ...
///   runs.jsonl      one line per finished process, with its result
///   results.json    trials with means and standard errors, best first
///   results.csv     the same as a table
///   comparison.png  with a random search: best metric so far over seconds
int run_sweep(const JsonFile& file, const SweepOptions& options);

/// Whether the folder belongs to a sweep.
bool is_sweep(const std::string& folder);

/// Continues a sweep. Interrupted runs continue from their checkpoints.
int resume_sweep(const std::string& folder, const SweepOptions& options);

}  // namespace nestgrad
