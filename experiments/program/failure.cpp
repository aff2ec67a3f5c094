#include "experiments/program/failure.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/distributed/world.h"
#include "core/platform/error.h"
#include "core/platform/standard_streams.h"
#include "experiments/setup/out_of_memory.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

int report(int code, const std::string& what) {
  fmt::print(stderr, "nestgrad: {}\n", what);
  return code;
}

/// Reports the exception that is being handled.
int report_current() {
  try {
    throw;
  } catch (const RankLost& error) {
    const std::string what = error.what();
    if (!what.empty()) report(kExitRankLost, what);
    // Threads that wait for another rank would keep this process from ending.
    std::fflush(nullptr);
    _exit(kExitRankLost);
  } catch (const Error& error) {
    return report(kExitMistake, error.what());
  } catch (const OutOfMemory& error) {
    return report(kExitMemory, error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return report(kExitMistake,
                  fmt::format("cannot use '{}': {}", error.path1().string(),
                              error.code().message()));
  } catch (const Json::exception& error) {
    return report(
        kExitMistake,
        fmt::format("a JSON value is not as expected: {}", error.what()));
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      return report(kExitMemory, OutOfMemory(error).what());
    }
    const bool torch = dynamic_cast<const c10::Error*>(&error) != nullptr;
    return report(kExitInternal,
                  fmt::format("internal error: {}{}", torch ? "LibTorch: " : "",
                              one_line(error)));
  } catch (...) {
    return report(kExitInternal, "internal error: an unknown exception");
  }
}

}  // namespace

int report_failure() noexcept {
  try {
    return report_current();
  } catch (...) {
    std::fputs("nestgrad: out of memory\n", stderr);
    return kExitMemory;
  }
}

int code_after_output(int code) {
  const int failure = output_failure();
  if (failure == 0) return code;
  if (failure == EPIPE) return code == kExitDone ? 128 + SIGPIPE : code;
  report(kExitMistake, fmt::format("cannot write to standard output: {}",
                                   std::strerror(failure)));
  return code == kExitDone ? kExitMistake : code;
}

}  // namespace nestgrad
