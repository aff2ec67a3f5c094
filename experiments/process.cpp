#include "experiments/process.h"

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

#include "core/error.h"

namespace nestgrad {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note(int signal) {
  noted = signal;
  std::signal(signal, SIG_DFL);
}

template <class Function>
Function* symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

/// OpenBLAS's answer to openblas_get_parallel(): 0 sequential, 1 threads of its
/// own, 2 OpenMP; -1 for another BLAS.
int blas_parallel() {
  const auto get_parallel = symbol<int()>("openblas_get_parallel");
  return get_parallel != nullptr ? get_parallel() : -1;
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
  if (blas_parallel() == 1) {
    at::set_num_threads(1);
    if (const auto set = symbol<void(int)>("openblas_set_num_threads")) set(n);
  } else {
    at::set_num_threads(n);
  }
}

Json host_facts() {
  const char* const kinds[] = {"unknown", "sequential", "own threads",
                               "OpenMP"};
  const auto get_blas_threads = symbol<int()>("openblas_get_num_threads");
  return {{"libtorch", TORCH_VERSION},
          {"processor", processor()},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()},
          {"blas_threads", get_blas_threads ? get_blas_threads() : 0},
          {"allocator",
           symbol<void()>("MallocExtension_ReleaseFreeMemory") != nullptr
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
  // A file that grows over a limit is to be an error like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
}

int noted_signal() { return noted; }

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace nestgrad
