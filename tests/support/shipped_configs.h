#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/error.h"

namespace nestgrad {

/// Makes the tables and images that some configurations read, unless they are
/// there.
inline void make_data() {
  const auto make = [](const std::string& folder, const char* script,
                       const char* made) {
    const std::string path = NESTGRAD_SOURCE_DIR "/configs/" + folder;
    if (std::filesystem::exists(path + made)) return;
    const std::string command =
        fmt::format("/usr/bin/python3 '{}/{}' >&2", path, script);
    require(std::system(command.c_str()) == 0, "{} failed", command);
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
  require(!out.empty(), "there are no configurations in {}", folder);
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
