#include "experiments/run/difference.h"

#include <algorithm>

namespace nestgrad {
namespace {

void add_differences(const std::string& key, const Json& before,
                     const Json& now, std::vector<Difference>& out) {
  if (before == now) return;
  if (!before.is_object() || !now.is_object()) {
    out.push_back({key, before, now});
    return;
  }
  const auto below = [&](const std::string& name) {
    return key.empty() ? name : key + "." + name;
  };
  for (const auto& [name, value] : before.items()) {
    add_differences(below(name), value, now.value(name, Json()), out);
  }
  for (const auto& [name, value] : now.items()) {
    if (!before.contains(name)) out.push_back({below(name), Json(), value});
  }
}

}  // namespace

std::vector<Difference> differences(const Json& before, const Json& now) {
  std::vector<Difference> out;
  add_differences("", before, now, out);
  return out;
}

bool is_one_of(const std::string& key, const std::vector<std::string>& list) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& name) {
    return key == name || key.rfind(name + ".", 0) == 0;
  });
}

}  // namespace nestgrad
