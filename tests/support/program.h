#pragma once

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/support/shipped_configs.h"
#include "tests/support/support.h"

namespace nestgrad {

struct Ended {
  int code = 0;
  std::string output;  // standard output and error together, without warnings
                       // about the processor
};

/// Whether a line tells of this machine's processor; see leave_wrong_kernels().
/// In a sweep the name of a run may stand before.
inline bool is_about_processor(const std::string& line) {
  if (line.find("oneDNN, which LibTorch takes") == std::string::npos) {
    return false;
  }
  for (const char* start :
       {"nestgrad: ", "{\"event\":\"warning\",\"text\":\""}) {
    if (line.rfind(start, 0) == 0) return true;
  }
  return false;
}

/// The lines of `output` but for those.
inline std::string without_wrong_kernels(const std::string& output) {
  std::string out;
  for (std::size_t first = 0; first < output.size();) {
    const std::size_t end = std::min(output.find('\n', first), output.size());
    const std::string line = output.substr(first, end + 1 - first);
    if (!is_about_processor(line)) out += line;
    first = end + 1;
  }
  return out;
}

/// Runs a shell command in `folder`.
inline Ended shell(const std::string& folder, const std::string& command) {
  std::FILE* pipe = popen(
      fmt::format("cd '{}' && {{ {}\n}} 2>&1", folder, command).c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended;
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) {
    ended.output.append(buffer, n);
  }
  ended.output = without_wrong_kernels(ended.output);
  const int status = pclose(pipe);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

/// Runs the program with these arguments in `folder`, on one thread.
inline Ended program(const std::string& folder, const std::string& arguments,
                     const std::string& before = "") {
  return shell(folder, fmt::format("OPENBLAS_NUM_THREADS=1 {} '{}' {}", before,
                                   NESTGRAD_PROGRAM, arguments));
}

}  // namespace nestgrad
