#include "experiments/record/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/platform/error.h"
#include "core/platform/stopwatch.h"

namespace nestgrad {
namespace {

/// Whether `path` still names the open file. Another process may have removed
/// it meanwhile.
bool names(const std::string& path, int file) {
  struct stat open = {}, named = {};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder, double wait)
    : path_(folder + "/" + kFile) {
  const Stopwatch watch;
  while (true) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(file_ >= 0, "{}: cannot be written: {}", path_,
            std::strerror(errno));
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK && watch.seconds() < wait) {
        ::close(file_);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      if (errno != EWOULDBLOCK) {
        const std::string reason = std::strerror(errno);
        ::close(file_);
        throw Error(fmt::format("{}: cannot be locked: {}", path_, reason));
      }
      char holder[32] = {};
      const ssize_t read = ::read(file_, holder, sizeof holder - 1);
      ::close(file_);
      throw Error(fmt::format("{}: another process{} is working in this folder",
                              folder,
                              read > 0 ? fmt::format(" ({})", holder) : ""));
    }
    if (names(path_, file_)) break;
    ::close(file_);
  }
  const std::string holder = fmt::format("{}", ::getpid());
  // For information only, so a full disk does not matter.
  const ssize_t written = ::pwrite(file_, holder.data(), holder.size(), 0);
  [[maybe_unused]] const int cut =
      ::ftruncate(file_, std::max<ssize_t>(written, 0));
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace nestgrad
