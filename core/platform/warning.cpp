#include "core/platform/warning.h"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>
#include <set>

namespace nestgrad {

void warn(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> told;
  const std::lock_guard<std::mutex> lock(mutex);
  if (told.insert(text).second) fmt::print(stderr, "nestgrad: {}\n", text);
}

}  // namespace nestgrad
