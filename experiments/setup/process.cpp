#include "experiments/setup/process.h"

#include <ATen/Version.h>
#include <dlfcn.h>
#include <fmt/chrono.h>
#include <sys/resource.h>
#include <torch/version.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>

#include "core/platform/blas.h"
#include "core/platform/error.h"
#include "core/platform/standard_streams.h"
#include "core/platform/threads.h"
#include "core/tensor/kernels.h"

namespace nestgrad {
namespace {

volatile std::sig_atomic_t noted = 0, checkpoint_requested = 0;

// Of one reason a process may hear twice: timeout and launchers signal it and
// then its group.
constexpr double kSameReason = 1;  // seconds
timespec first_noted = {};

extern "C" void note(int signal) {
  if (noted != 0) return;
  clock_gettime(CLOCK_MONOTONIC, &first_noted);
  noted = signal;
}

extern "C" void note_and_end_next_time(int signal) {
  if (noted == 0) return note(signal);
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double since =
      static_cast<double>(now.tv_sec - first_noted.tv_sec) +
      1e-9 * static_cast<double>(now.tv_nsec - first_noted.tv_nsec);
  if (since < kSameReason) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

extern "C" void request_checkpoint(int) { checkpoint_requested = 1; }

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) {
      return line.substr(std::min(line.size(), line.find(": ") + 2));
    }
  }
  return "unknown";
}

}  // namespace

void prepare_process(std::int64_t threads) {
  use_threads(threads > 0 ? static_cast<int>(threads) : available_cores());
  leave_wrong_kernels();
}

Json host_facts() {
  const char* const kinds[] = {"unknown", "sequential", "own threads",
                               "OpenMP"};
  return {{"libtorch", TORCH_VERSION},
          {"processor", processor()},
          {"cores", available_cores()},
          {"threads", threads_in_use()},
          {"allocator",
           dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory") != nullptr
               ? "tcmalloc"
               : "the C library's"},
          {"openblas", kinds[std::clamp(blas_parallel(), -1, 2) + 1]}};
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void note_signals() {
  std::signal(SIGINT, note_and_end_next_time);
  std::signal(SIGTERM, note_and_end_next_time);
  if (std::signal(SIGHUP, note) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGXCPU, note);
  std::signal(SIGUSR1, request_checkpoint);
  // Exceeding a limit on file size becomes an error, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
}

int noted_signal() {
  if (noted != 0) return noted;
  return reader_has_ended() ? SIGPIPE : 0;
}

bool take_checkpoint_request() {
  const bool requested = checkpoint_requested != 0;
  checkpoint_requested = 0;
  return requested;
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace nestgrad
