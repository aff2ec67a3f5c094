#include "experiments/record/checkpoints.h"

#include <filesystem>
#include <regex>

#include "core/platform/files.h"

namespace nestgrad {
namespace fs = std::filesystem;

std::map<std::int64_t, std::string, std::greater<>> Checkpoints::files() const {
  static const std::regex pattern("checkpoint-([0-9]{1,15})");
  std::map<std::int64_t, std::string, std::greater<>> out;
  std::error_code none_yet;
  for (const auto& entry : fs::directory_iterator(folder_, none_yet)) {
    const std::string name = entry.path().filename().string();
    std::smatch number;
    if (std::regex_match(name, number, pattern)) {
      out[std::stoll(number[1])] = entry.path().string();
    }
  }
  return out;
}

void Checkpoints::write(const Snapshot& snapshot, const Json& about) {
  std::error_code error;
  fs::create_directories(folder_, error);
  require(!error, "{}: cannot create this folder: {}", folder_,
          error.message());
  auto all = files();
  const std::int64_t number = all.empty() ? 1 : all.begin()->first + 1;
  const std::string path = fmt::format("{}/checkpoint-{:06}", folder_, number);
  save_snapshot(path, snapshot, about);
  all[number] = path;
  std::int64_t kept = 0;
  for (const auto& [n, file] : all) {
    if (kept++ >= keep_) fs::remove(file, error);
  }
}

std::optional<SavedSnapshot> Checkpoints::newest(
    const std::function<void(const std::string&)>& warn) const {
  if (fs::is_directory(folder_)) remove_temporary_files(folder_);
  for (const auto& [number, path] : files()) {
    try {
      return load_snapshot(path);
    } catch (const DamagedSnapshot& error) {
      warn(fmt::format("skipping a damaged checkpoint: {}", error.what()));
      std::error_code ignored;
      fs::rename(path, path + ".damaged", ignored);
    }
  }
  // Starting again would overwrite results that may still be saved by hand.
  std::error_code none;
  require(!fs::exists(folder_) || fs::is_empty(folder_, none),
          "all checkpoints in {} are damaged; remove this folder to start the "
          "run again",
          folder_);
  return {};
}

}  // namespace nestgrad
