#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"
#include "experiments/record/folder_lock.h"

namespace nestgrad {

/// The folder for the results of a run. No other process writes there while
/// this object or a copy of it lives.
///
/// Files are replaced as a whole: written under a temporary name, flushed and
/// renamed. Every function throws Error, naming the file, if the system refuses
/// (full disk, read-only folder).
class RunFolder {
 public:
  /// Creates `path`, which must be new or an empty folder.
  static RunFolder create(const std::string& path);

  /// Creates runs/NAME-N with the lowest free N.
  static RunFolder create_next(const std::string& name);

  /// Opens the folder of an earlier run and removes the temporary files of
  /// interrupted writes. `needed`: a file that must be there. `wait`: seconds
  /// to wait for another process that holds the folder.
  static RunFolder open(const std::string& path, const std::string& needed,
                        double wait = 0);

  /// A folder that another process holds, which shares it.
  static RunFolder beside_others(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, const Json& json) const;
  void write(const std::string& name, const ParameterSet& set) const;

 private:
  explicit RunFolder(std::string path, std::shared_ptr<FolderLock> lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  /// Throws Error if another process holds it for longer than `wait` seconds.
  static RunFolder held(const std::string& path, double wait = 0) {
    return RunFolder(path, std::make_shared<FolderLock>(path, wait));
  }

  std::string path_;
  std::shared_ptr<FolderLock> lock_;
};

/// What run.json says of the run in a folder; an empty object if it is missing
/// or damaged.
Json facts_of_run(const std::string& folder);

/// The folders from which relative paths in the configuration of a run are
/// seen: those that its run.json records, then the working folder and, for a
/// run in runs/, the folder that has runs/. So files are also found after a
/// project was moved.
std::vector<std::string> folders_of_run(const std::string& path);

/// The last component of a path: "a" for "runs/a/".
std::string folder_name(const std::string& path);

}  // namespace nestgrad
