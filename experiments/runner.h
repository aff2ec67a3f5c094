#pragma once

#include <string>

#include "core/json_file.h"

namespace nestgrad {

/// How the program ends; see the table in README.md.
enum ExitCode {
  kExitDone = 0,
  kExitInternal = 1,
  kExitMistake = 2,
  kExitDiverged = 3,
  kExitCheckFailed = 4
};

struct RunOptions {
  std::string folder;  ///< "" takes record.folder or runs/<name>-<n>
  bool quiet = false;  ///< no progress and no table
};

/// Runs the experiment that `file` describes, from building to the files of its
/// folder, and returns the exit code: kExitDone, kExitDiverged, or 128 + n
/// after signal n. Nothing is written before all of the configuration and the
/// data have been found right. Throws Error and ConfigError for mistakes.
int run_experiment(const JsonFile& file, const RunOptions& options);

}  // namespace nestgrad
