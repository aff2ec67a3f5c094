#pragma once

#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

using Random = std::mt19937_64;

inline std::size_t below(Random& random, std::size_t n) { return random() % n; }

/// All values in a JSON value, itself included.
inline void collect(Json& json, std::vector<Json*>& out) {
  out.push_back(&json);
  if (!json.is_structured()) return;
  for (auto& part : json.items()) collect(part.value(), out);
}

/// `json` with one random change.
inline Json mutated(Json json, Random& random) {
  std::vector<Json*> all;
  collect(json, all);
  Json& here = *all[below(random, all.size())];
  const Json values[] = {-1,   0,    3,     0.5,    2.0,       1e19,
                         "$x", "",   "sgd", "none", nullptr,   true,
                         -1e3, 1e-9, 1,     "auto", "unrolled"};
  const Json value = values[below(random, std::size(values))];
  if (here.is_object() && !here.empty()) {
    const std::size_t i = below(random, here.size());
    const std::string key = std::next(here.begin(), static_cast<int>(i)).key();
    switch (below(random, 4)) {
      case 0: {  // a misspelt key
        const Json kept = here[key];
        here.erase(key);
        here[key + "x"] = kept;
        return json;
      }
      case 1:
        here.erase(key);
        return json;
      case 2:
        here["surplus"] = value;
        return json;
      default:
        here[key] = value;
        return json;
    }
  }
  switch (below(random, 4)) {
    case 0:
      here = Json::array({here});
      return json;
    case 1:
      here = Json{{"type", here}};
      return json;
    default:
      here = value;
      return json;
  }
}

}  // namespace nestgrad
