#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/record/console.h"

namespace nestgrad {

struct RunOptions {
  std::string folder;  ///< "": record.folder or runs/NAME-N
  Talk talk;
};

/// Runs the experiment in `file`: builds it, tunes, and writes the files of its
/// folder. Returns the exit code: kExitDone, kExitDiverged, or 128 + n after
/// signal n. The whole configuration and the data are checked before anything
/// is written. Throws Error and ConfigError for mistakes.
int run_experiment(const JsonFile& file, const RunOptions& options);

struct ResumeOptions {
  std::vector<std::string> assignments;  ///< changed keys: "outer.steps=200"
  std::vector<std::string> allowed;  ///< further dotted keys that may differ
  double wait = 0;  ///< seconds to wait if another process holds the folder
  Talk talk;
};

/// Continues the run in `folder` from its newest undamaged checkpoint, or from
/// the start if there is none. Apart from times, its files become equal, bit by
/// bit, to those of an uninterrupted run.
///
/// Throws Error, listing the differences, if configuration, program or data
/// differ from those of the checkpoint in a way that is not allowed.
int resume_experiment(const std::string& folder, const ResumeOptions& options);

}  // namespace nestgrad
