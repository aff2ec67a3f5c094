#include "experiments/setup/process.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <fmt/chrono.h>
#include <sys/resource.h>
#include <torch/version.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>
#include <thread>

#include "core/platform/blas.h"
#include "core/platform/error.h"
#include "core/platform/threads.h"

namespace nestgrad {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int signal) {
  noted = signal;
  std::signal(signal, SIG_DFL);
}

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
  const int cores =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int n = threads > 0 ? static_cast<int>(threads) : cores;
  use_threads(n);
}

Json host_facts() {
  const char* const kinds[] = {"unknown", "sequential", "own threads",
                               "OpenMP"};
  return {{"libtorch", TORCH_VERSION},
          {"processor", processor()},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()},
          {"blas_threads", blas_threads()},
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
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
  // Exceeding a limit on file size becomes an error, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
}

int noted_signal() { return noted; }

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace nestgrad
