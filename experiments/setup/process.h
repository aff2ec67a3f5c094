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
  kExitCheckFailed = 4,
  kExitMemory = 5,
  kExitRankLost = 6
};

/// Fixes, once per process, what LibTorch would take from its environment.
/// `threads`: for LibTorch and BLAS together; 0 means one for each of the
/// available_cores(). See use_threads(). Does without kernels that compute
/// wrong numbers on this processor; see leave_wrong_kernels().
void prepare_process(std::int64_t threads);

/// Facts about the machine for records: threads, processor, LibTorch's version.
Json host_facts();

/// The peak of this process's resident memory so far, in MiB.
double peak_memory_mib();

/// From now on the first SIGINT, SIGTERM, SIGHUP or SIGXCPU is noted instead of
/// ending the process. A SIGINT or SIGTERM more than a second later ends it.
/// SIGHUP and SIGXCPU come more than once for one reason, so later ones are
/// ignored; a SIGHUP that is ignored at the start (nohup) stays so. SIGUSR1
/// asks for a checkpoint.
void note_signals();

/// The noted signal, SIGPIPE if the reader of standard output has ended, or 0.
int noted_signal();

/// Whether SIGUSR1 has come since the last call.
bool take_checkpoint_request();

/// Seconds since 1970 as "2024-05-17T09:30:00Z".
std::string utc_now();

}  // namespace nestgrad
