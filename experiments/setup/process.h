#pragma once

#include <cstdint>
#include <string>

#include "core/config/json_file.h"

namespace nestgrad {

/// The exit codes of the program; see the table in README.md.
enum ExitCode {
  kExitDone = 0,
  kExitInternal = 1,
  kExitMistake = 2,
  kExitDiverged = 3,
  kExitCheckFailed = 4
};

/// Fixes, once per process, what LibTorch would take from its environment.
/// `threads`: for LibTorch and BLAS together; 0 means one per core. See
/// use_threads().
void prepare_process(std::int64_t threads);

/// Facts about the machine for records: threads, processor, LibTorch's version.
Json host_facts();

/// The peak of this process's resident memory so far, in MiB.
double peak_memory_mib();

/// From now on the first SIGINT or SIGTERM is noted instead of ending the
/// process. A second one ends it.
void note_signals();

/// The noted signal, or 0.
int noted_signal();

/// Seconds since 1970 as "2024-05-17T09:30:00Z".
std::string utc_now();

}  // namespace nestgrad
