#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nestgrad {

/// One process: this program with other arguments.
struct Job {
  std::vector<std::string> arguments;
  std::string log;  ///< where standard output and error go
  int id = 0;       ///< the caller's
};

/// Runs jobs, `count` at a time, in the order in which `next` gives them. It is
/// asked whenever a process is free, and may give none as long as others run.
/// `finished` hears the exit code of each, or 128 + n after signal n.
///
/// When a signal has been noted, the processes are told to stop (SIGTERM), so
/// that they can write checkpoints, and no more are started. Returns whether
/// all went to its end. If this process is killed, its jobs get SIGTERM as
/// well.
bool run_jobs(int count, const std::function<std::optional<Job>()>& next,
              const std::function<void(const Job&, int code)>& finished);

}  // namespace nestgrad
