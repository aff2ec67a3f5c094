#pragma once

#include <memory>
#include <string>

#include "experiments/record/file_lock.h"

namespace nestgrad {

/// Keeps other processes out of a folder during its life, by a file `lock`
/// there.
class FolderLock {
 public:
  /// Throws Error if another process holds the folder for longer than `wait`
  /// seconds.
  explicit FolderLock(const std::string& folder, double wait = 0);

  /// The name of the file in the folder.
  static constexpr const char* kFile = "lock";

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace nestgrad
