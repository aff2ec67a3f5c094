#include "experiments/record/run_folder.h"

#include <filesystem>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"

namespace nestgrad {
namespace fs = std::filesystem;

namespace {

/// Throws Error if the folder contains anything but a lock.
void require_empty(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    require(entry.path().filename() == FolderLock::kFile,
            "{}: already contains files; name an empty or a new folder", path);
  }
  require(!error, "{}: cannot be read: {}", path, error.message());
}

}  // namespace

RunFolder RunFolder::create(const std::string& path) {
  std::error_code error;
  require(!fs::exists(path, error) || fs::is_directory(path, error),
          "{}: is not a folder", path);
  fs::create_directories(path, error);
  require(!error, "{}: cannot create this folder: {}", path, error.message());
  require_empty(path);
  RunFolder folder(path);
  require_empty(path);  // again: another process may have come first
  return folder;
}

RunFolder RunFolder::open(const std::string& path, const std::string& needed,
                          double wait) {
  require(fs::is_directory(path), "{}: there is no such folder", path);
  require(fs::exists(path + "/" + needed),
          "{}: contains no {}, so no run began here", path, needed);
  RunFolder folder(path, wait);
  remove_temporary_files(path);
  return folder;
}

RunFolder RunFolder::create_next(const std::string& name) {
  std::error_code error;
  fs::create_directories("runs", error);
  require(!error, "runs: cannot create this folder: {}", error.message());
  for (int n = 1;; ++n) {
    const std::string path = fmt::format("runs/{}-{}", name, n);
    // If several processes try the same name, only one gets it.
    if (fs::create_directory(path, error)) return RunFolder(path);
    require(!error, "{}: cannot create this folder: {}", path, error.message());
  }
}

std::string folder_name(const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path())
      .filename()
      .string();
}

void RunFolder::write(const std::string& name, const Json& json) const {
  write_file(file(name), json.dump(2) + "\n");
}

void RunFolder::write(const std::string& name, const ParameterSet& set) const {
  save_safetensors(file(name), set);
}

}  // namespace nestgrad
