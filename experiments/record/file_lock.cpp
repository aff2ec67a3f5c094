#include "experiments/record/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// Whether `path` still names the open file. Another process may have removed
/// it meanwhile.
bool names(const std::string& path, int file) {
  struct stat open = {}, named = {};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

/// For information only, so a full disk does not matter.
void write_holder(int file) {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const std::string holder = fmt::format("{} on {}", ::getpid(), host);
  const ssize_t written = ::pwrite(file, holder.data(), holder.size(), 0);
  [[maybe_unused]] const int cut =
      ::ftruncate(file, std::max<ssize_t>(written, 0));
}

}  // namespace

std::unique_ptr<FileLock> FileLock::take(const std::string& path) {
  while (true) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(file >= 0, "{}: cannot be written: {}", path, std::strerror(errno));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      ::close(file);
      require(reason == EWOULDBLOCK, "{}: cannot be locked: {}", path,
              std::strerror(reason));
      return nullptr;
    }
    if (names(path, file)) {
      write_holder(file);
      return std::unique_ptr<FileLock>(new FileLock(path, file));
    }
    ::close(file);
  }
}

std::string FileLock::holder(const std::string& path) {
  char text[300] = {};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  const ssize_t length = ::read(file, text, sizeof text - 1);
  ::close(file);
  return length > 0 ? text : "";
}

FileLock::~FileLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace nestgrad
