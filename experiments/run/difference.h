#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// The two values of a key; null if the key does not exist.
struct Difference {
  std::string key;  ///< dotted: "outer.steps"
  Json before, now;
};

/// The differences of two JSON objects, key by key. Lists are compared whole.
std::vector<Difference> differences(const Json& before, const Json& now);

/// Whether a dotted key, or a key above it, is in a list.
bool is_one_of(const std::string& key, const std::vector<std::string>& list);

}  // namespace nestgrad
