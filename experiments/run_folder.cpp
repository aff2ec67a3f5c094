#include "experiments/run_folder.h"

#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"

namespace nestgrad {
namespace fs = std::filesystem;

RunFolder RunFolder::create(const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error)) {
    require(fs::is_directory(path, error), "{}: is not a folder", path);
    require(fs::is_empty(path, error),
            "{}: holds files already; name an empty or a new folder", path);
    return RunFolder(path);
  }
  fs::create_directories(path, error);
  require(!error, "{}: cannot make this folder: {}", path, error.message());
  return RunFolder(path);
}

RunFolder RunFolder::create_next(const std::string& name) {
  std::error_code error;
  fs::create_directories("runs", error);
  require(!error, "runs: cannot make this folder: {}", error.message());
  for (int n = 1;; ++n) {
    const std::string path = fmt::format("runs/{}-{}", name, n);
    // Of several processes that try the same name, one gets it.
    if (fs::create_directory(path, error)) return RunFolder(path);
    require(!error, "{}: cannot make this folder: {}", path, error.message());
  }
}

void RunFolder::write(const std::string& name, const Json& json) const {
  write_file(file(name), json.dump(2) + "\n");
}

void RunFolder::write(const std::string& name, const ParameterSet& set) const {
  save_safetensors(file(name), set);
}

}  // namespace nestgrad
