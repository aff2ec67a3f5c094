#pragma once

#include <cstdint>
#include <string>

#include "core/config/json_file.h"

namespace nestgrad {

/// How the program ends; see the table in README.md.
enum ExitCode {
  kExitDone = 0,
  kExitInternal = 1,
  kExitMistake = 2,
  kExitDiverged = 3,
  kExitCheckFailed = 4
};

/// Settles, once per process, what LibTorch leaves to its environment.
///
/// Threads: `threads` for LibTorch and for BLAS together, 0 means one per core;
/// see use_threads().
void prepare_process(std::int64_t threads);

/// What a later reader wants to know about the machine: threads, processor,
/// LibTorch's version.
Json host_facts();

/// The largest resident set of this process so far, in MiB.
double peak_memory_mib();

/// From now on SIGINT and SIGTERM are noted instead of ending the process; a
/// second signal ends it.
void note_signals();

/// The signal that has been noted, or 0.
int noted_signal();

/// Seconds since 1970 as "2024-05-17T09:30:00Z".
std::string utc_now();

}  // namespace nestgrad
