#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/run/runner.h"

namespace nestgrad {

struct SweepOptions {
  std::string folder;                ///< "" takes runs/NAME-N
  int workers = 0;                   ///< 0 takes that of the file
  std::vector<std::string> allowed;  ///< see ResumeOptions
  Talk talk;
};

/// Runs one configuration again and again, with other values and seeds, in
/// processes of their own, and compares the results. Returns the exit code:
/// kExitDone, kExitDiverged if no run came to its end, 128 + n after signal n.
/// Nothing is started before the keys and values of all configurations have
/// been found right.
///
/// The folder then holds
///
///   sweep.json      the file, with every default and the configuration itself
///   configs/, logs/ the configurations of all runs, and what they printed
///   NAME/           the folder of each run: trial-0001-seed-1, ...
///   runs.jsonl      one line per process that ended: what came of it
///   results.json    trials with means and standard errors, the best first
///   results.csv     the same as a table
///   comparison.png  with a random search: the best so far over seconds
int run_sweep(const JsonFile& file, const SweepOptions& options);

/// Whether a sweep began in this folder.
bool is_sweep(const std::string& folder);

/// Continues it: runs that were interrupted from their checkpoints.
int resume_sweep(const std::string& folder, const SweepOptions& options);

}  // namespace nestgrad
