#pragma once

#include <memory>
#include <string>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"
#include "experiments/record/folder_lock.h"

namespace nestgrad {

/// The folder that a run writes its results into. No other process writes there
/// as long as this object or a copy of it lives.
///
/// Whole files appear at once: written under a temporary name, flushed and
/// renamed. Every function throws Error, naming the file, if the system
/// refuses (disk full, read-only folder).
class RunFolder {
 public:
  /// Makes `path`, which must not exist yet or be empty.
  static RunFolder create(const std::string& path);

  /// Makes runs/NAME-N with the lowest n that is free.
  static RunFolder create_next(const std::string& name);

  /// The folder of an earlier run, freed of what writing that was cut short has
  /// left there. `needed` is a file that has to be in it;
  /// `wait`: seconds, for another process that works there.
  static RunFolder open(const std::string& path, const std::string& needed,
                        double wait = 0);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, const Json& json) const;
  void write(const std::string& name, const ParameterSet& set) const;

 private:
  explicit RunFolder(std::string path, double wait = 0)
      : path_(std::move(path)),
        lock_(std::make_shared<FolderLock>(path_, wait)) {}

  std::string path_;
  std::shared_ptr<FolderLock> lock_;
};

/// The last part of a path: "a" of "runs/a/".
std::string folder_name(const std::string& path);

}  // namespace nestgrad
