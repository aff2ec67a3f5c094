#pragma once

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "tests/support/support.h"

namespace nestgrad {

struct Ended {
  int code = 0;
  std::string output;  // standard output and error together
};

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

/// Makes the tables and images that some configurations read, unless they are
/// there.
inline void make_data() {
  const auto make = [](const std::string& folder, const char* script,
                       const char* made) {
    const std::string path = NESTGRAD_SOURCE_DIR "/configs/" + folder;
    if (std::filesystem::exists(path + made)) return;
    const Ended ended = shell(path, fmt::format("/usr/bin/python3 {}", script));
    INFO(ended.output);
    REQUIRE(ended.code == 0);
  };
  make("tables", "from_sklearn.py", "/breast_cancer_rare_test.csv");
  make("images", "from_fashion_mnist.py", "/clothes");
}

/// The configurations in configs/, or in another folder of the project.
inline std::vector<std::string> shipped_configs(
    const std::string& folder = "/configs") {
  make_data();
  std::vector<std::string> out;
  for (const auto& entry :
       std::filesystem::directory_iterator(NESTGRAD_SOURCE_DIR + folder)) {
    if (entry.path().extension() == ".json") {
      out.push_back(entry.path().string());
    }
  }
  REQUIRE(out.size() >= 1);
  return out;
}

/// One of them as it may stand in any folder: texts that are paths of files
/// seen from its own folder, and values of "folder", become absolute.
inline Json shipped_config(const std::string& path) {
  const std::filesystem::path folder =
      std::filesystem::path(path).parent_path();
  Json out = JsonFile::read(path).json();
  const std::function<void(Json&)> make_absolute = [&](Json& value) {
    if (value.is_object() && value.contains("folder")) {
      value["folder"] = (folder / value["folder"].get<std::string>()).string();
    }
    if (value.is_structured()) {
      for (Json& part : value) make_absolute(part);
    } else if (value.is_string()) {
      const auto file = folder / value.get<std::string>();
      if (std::filesystem::is_regular_file(file)) value = file.string();
    }
  };
  make_absolute(out);
  return out;
}

}  // namespace nestgrad
