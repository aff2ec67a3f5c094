#include "experiments/record/checkpoints.h"

#include <filesystem>
#include <regex>

#include "core/platform/files.h"

namespace nestgrad {
namespace fs = std::filesystem;

std::map<std::int64_t, std::string, std::greater<>> Checkpoints::files() const {
  static const std::regex pattern("checkpoint-([0-9]{1,15})");
  std::map<std::int64_t, std::string, std::greater<>> out;
  for (const std::string& name : names_in(folder_)) {
    std::smatch number;
    if (std::regex_match(name, number, pattern)) {
      out[std::stoll(number[1])] = folder_ + "/" + name;
    }
  }
  return out;
}

void Checkpoints::write(const Snapshot& snapshot, const Json& about) {
  make_folders(folder_);
  auto all = files();
  const std::int64_t number = all.empty() ? 1 : all.begin()->first + 1;
  const std::string path = fmt::format("{}/checkpoint-{:06}", folder_, number);
  save_snapshot(path, snapshot, about);
  all[number] = path;
  std::int64_t kept = 0;
  for (const auto& [n, file] : all) {
    std::error_code ignored;
    if (kept++ >= keep_) fs::remove(file, ignored);
  }
}

std::optional<SavedSnapshot> Checkpoints::newest(
    const std::function<void(const std::string&)>& warn) const {
  remove_temporary_files(folder_);
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
  require(names_in(folder_).empty(),
          "all checkpoints in {} are damaged; remove this folder to start the "
          "run again",
          folder_);
  return {};
}

}  // namespace nestgrad
