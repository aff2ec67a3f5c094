#pragma once

#include <string>

namespace nestgrad {

/// Keeps other processes out of a folder as long as it lives: a file `lock` in
/// it that the system holds for this process (flock) and lets go of when the
/// process ends, however it ends.
class FolderLock {
 public:
  /// Throws Error if another process holds the folder and does not let go of it
  /// within `wait` seconds.
  explicit FolderLock(const std::string& folder, double wait = 0);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// The name of the file inside of the folder.
  static constexpr const char* kFile = "lock";

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace nestgrad
