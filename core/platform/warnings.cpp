#include "core/platform/warnings.h"

#include <algorithm>
#include <mutex>

namespace nestgrad {
namespace {

struct Collected {
  std::mutex mutex;
  std::vector<std::string> texts;
  std::size_t told = 0;  // the number of texts that have been told
};

Collected& collected() {
  static Collected instance;
  return instance;
}

}  // namespace

void add_warning(const std::string& text) {
  Collected& all = collected();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (std::count(all.texts.begin(), all.texts.end(), text) > 0) return;
  all.texts.push_back(text);
}

std::vector<std::string> warnings() {
  Collected& all = collected();
  const std::lock_guard<std::mutex> lock(all.mutex);
  return all.texts;
}

std::vector<std::string> untold_warnings() {
  Collected& all = collected();
  const std::lock_guard<std::mutex> lock(all.mutex);
  std::vector<std::string> out(
      all.texts.begin() + static_cast<std::ptrdiff_t>(all.told),
      all.texts.end());
  all.told = all.texts.size();
  return out;
}

}  // namespace nestgrad
