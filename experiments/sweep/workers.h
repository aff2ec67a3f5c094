#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/record/file_lock.h"

namespace nestgrad {

/// One process: this program with these arguments.
struct Job {
  std::vector<std::string> arguments;
  std::string log;  ///< the file for standard output and error
  int id = 0;       ///< for the caller's use

  /// Held while the process lives, even if this one is gone.
  std::shared_ptr<FileLock> claim = {};
};

/// Runs jobs, `count` at a time, in the order in which `next` returns them.
/// `next` is called whenever a process is free, and may return nothing.
/// `finished` receives the exit code of each job, or 128 + n after signal n.
/// Where no job runs, `more` tells whether there may be one later. `meanwhile`
/// is called again and again.
///
/// A request for a checkpoint is passed on to the running jobs. When a signal
/// has been noted, the running jobs get SIGTERM, so that they can
/// write checkpoints, and no more are started. Returns false in this case. If
/// this process is killed, its jobs also get SIGTERM.
bool run_jobs(int count, const std::function<std::optional<Job>()>& next,
              const std::function<void(const Job&, int code)>& finished,
              const std::function<bool()>& more,
              const std::function<void()>& meanwhile);

}  // namespace nestgrad
