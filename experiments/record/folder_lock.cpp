#include "experiments/record/folder_lock.h"

#include <chrono>
#include <thread>

#include "core/platform/error.h"
#include "core/platform/stopwatch.h"

namespace nestgrad {

FolderLock::FolderLock(const std::string& folder, double wait) {
  const std::string path = folder + "/" + kFile;
  const Stopwatch watch;
  while (!(lock_ = FileLock::take(path))) {
    if (watch.seconds() >= wait) {
      const std::string holder = FileLock::holder(path);
      throw Error(
          fmt::format("{}: another process{} is working in this folder", folder,
                      holder.empty() ? "" : fmt::format(" ({})", holder)));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace nestgrad
