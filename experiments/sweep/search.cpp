#include "experiments/sweep/search.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace nestgrad {

std::string describe(const Json& value) {
  if (value.is_number_float())
    return fmt::format("{:.3g}", value.get<double>());
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& part : value) parts.push_back(describe(part));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string describe(const Assignment& values) {
  std::vector<std::string> words;
  for (const auto& [key, value] : values) {
    words.push_back(fmt::format("{}={}", key, describe(value)));
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::vector<std::string> short_names(const std::vector<std::string>& keys) {
  /// The last `count` words; the whole key if it has no more.
  const auto end_of = [](const std::string& key, int count) {
    std::size_t begin = key.size();
    while (count-- > 0 && begin != std::string::npos && begin > 0) {
      begin = key.rfind('.', begin - 1);
    }
    return begin == std::string::npos ? key : key.substr(begin + 1);
  };
  std::vector<std::string> out;
  for (const std::string& key : keys) {
    int count = 1;
    const auto is_taken = [&](const std::string& other) {
      return other != key && end_of(other, count) == end_of(key, count);
    };
    while (end_of(key, count) != key &&
           std::any_of(keys.begin(), keys.end(), is_taken)) {
      ++count;
    }
    out.push_back(end_of(key, count));
  }
  return out;
}

std::int64_t coordinates(const std::vector<Dimension>& dimensions) {
  std::int64_t sum = 0;
  for (const Dimension& d : dimensions) sum += d.coordinates();
  return sum;
}

Assignment assignment_at(const std::vector<Dimension>& dimensions,
                         const double* coordinates) {
  Assignment out;
  for (const Dimension& d : dimensions) {
    out.emplace_back(d.key(), d.value_at(coordinates));
    coordinates += d.coordinates();
  }
  return out;
}

}  // namespace nestgrad
