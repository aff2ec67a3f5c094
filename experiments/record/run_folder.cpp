#include "experiments/record/run_folder.h"

#include <filesystem>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"

namespace nestgrad {
namespace fs = std::filesystem;

namespace {

/// The folder of runs for which no folder was named.
constexpr const char* kRuns = "runs";

/// Throws Error if the folder contains anything but a lock.
void require_empty(const std::string& path) {
  for (const std::string& name : names_in(path)) {
    require(name == FolderLock::kFile,
            "{}: already contains files; name an empty or a new folder", path);
  }
}

}  // namespace

RunFolder RunFolder::create(const std::string& path) {
  require(!file_exists(path) || folder_exists(path), "{}: is not a folder",
          path);
  make_folders(path);
  require_empty(path);
  RunFolder folder = held(path);
  require_empty(path);  // again: another process may have come first
  return folder;
}

RunFolder RunFolder::open(const std::string& path, const std::string& needed,
                          double wait) {
  require(folder_exists(path), "{}: there is no such folder", path);
  require(file_exists(path + "/" + needed),
          "{}: contains no {}, so no run began here", path, needed);
  RunFolder folder = held(path, wait);
  remove_temporary_files(path);
  return folder;
}

RunFolder RunFolder::beside_others(const std::string& path) {
  return RunFolder(path, nullptr);
}

RunFolder RunFolder::create_next(const std::string& name) {
  make_folders(kRuns);
  for (int n = 1;; ++n) {
    const std::string path = fmt::format("{}/{}-{}", kRuns, name, n);
    // If several processes try the same name, only one gets it.
    std::error_code error;
    if (fs::create_directory(path, error)) return held(path);
    require(!error, "{}: cannot create this folder: {}", path, error.message());
  }
}

Json facts_of_run(const std::string& folder) {
  const std::string path = folder + "/run.json";
  if (!file_exists(path)) return Json::object();
  const Json run = Json::parse(read_file(path), nullptr, false);
  return run.is_object() ? run : Json::object();
}

std::vector<std::string> folders_of_run(const std::string& path) {
  std::vector<std::string> out;
  const Json recorded = facts_of_run(path).value("paths_from", Json());
  for (const Json& folder : recorded) {
    if (folder.is_string()) out.push_back(folder.get<std::string>());
  }
  out.emplace_back(".");
  const fs::path above = fs::absolute(path).lexically_normal() / "..";
  const fs::path runs = above.lexically_normal();
  if (folder_name(runs) == kRuns) out.push_back((runs / "..").string());
  return out;
}

std::string folder_name(const std::string& path) {
  std::error_code no_working_folder;
  const fs::path absolute = fs::absolute(path, no_working_folder);
  const fs::path whole =
      (no_working_folder ? fs::path(path) : absolute).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path())
      .filename()
      .string();
}

void RunFolder::write(const std::string& name, const Json& json) const {
  // Names of files need not be UTF-8, and a run must not end without a result
  // because of one.
  write_file(file(name),
             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void RunFolder::write(const std::string& name, const ParameterSet& set) const {
  save_safetensors(file(name), set);
}

}  // namespace nestgrad
