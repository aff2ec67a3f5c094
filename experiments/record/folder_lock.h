#pragma once

#include <string>

namespace nestgrad {

/// Keeps other processes out of a folder during its life. It holds a file
/// `lock` there with flock; the system releases it when the process ends,
/// however it ends.
class FolderLock {
 public:
  /// Throws Error if another process holds the folder for longer than `wait`
  /// seconds.
  explicit FolderLock(const std::string& folder, double wait = 0);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// The name of the file in the folder.
  static constexpr const char* kFile = "lock";

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace nestgrad
