#pragma once

#include <memory>
#include <string>

namespace nestgrad {

/// Holds a file with flock during its life and removes it at the end. The
/// system lets it go when the process ends, however it ends; on a shared file
/// system, also when the host does.
class FileLock {
 public:
  /// Null if another holds the file. Throws Error if it cannot be written or
  /// locked.
  static std::unique_ptr<FileLock> take(const std::string& path);

  /// "1234 on host1": the process that holds the file, as it has written there;
  /// "" if it has not.
  static std::string holder(const std::string& path);

  /// The open file. A process that inherits it holds the file as well.
  int file() const { return file_; }

  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  FileLock(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;
};

}  // namespace nestgrad
