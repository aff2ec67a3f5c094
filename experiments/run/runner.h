#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/record/console.h"

namespace nestgrad {

struct RunOptions {
  std::string folder;  ///< "" takes record.folder or runs/NAME-N
  Talk talk;
};

/// Runs the experiment that `file` describes, from building to the files of its
/// folder, and returns the exit code: kExitDone, kExitDiverged, or 128 + n
/// after signal n. Nothing is written before all of the configuration and the
/// data have been found right. Throws Error and ConfigError for mistakes.
int run_experiment(const JsonFile& file, const RunOptions& options);

struct ResumeOptions {
  std::vector<std::string> assignments;  ///< "outer.steps=200": may differ
  std::vector<std::string> allowed;      ///< dotted keys that may differ, too
  double wait = 0;  ///< seconds, for another process that works in the folder
  Talk talk;
};

/// Continues the run in `folder` from its newest checkpoint that is whole, or
/// from the start if there is none. Its files become those of a run that was
/// never interrupted, bit by bit, apart from times.
///
/// Throws Error with the differences if configuration, program or data are not
/// those of the checkpoint and this was not allowed.
int resume_experiment(const std::string& folder, const ResumeOptions& options);

}  // namespace nestgrad
