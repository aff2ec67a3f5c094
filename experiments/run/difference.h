#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// Two values of one key; null stands for a key that is not there.
struct Difference {
  std::string key;  ///< dotted: "outer.steps"
  Json before, now;
};

/// Where two JSON objects differ, key by key; lists are compared as a whole.
std::vector<Difference> differences(const Json& before, const Json& now);

/// Whether a dotted key, or something above it, is in a list.
bool is_one_of(const std::string& key, const std::vector<std::string>& list);

}  // namespace nestgrad
