#include "experiments/sweep/search.h"

#include <fmt/ranges.h>

namespace nestgrad {

std::string describe(const Assignment& values) {
  std::vector<std::string> words;
  for (const auto& [key, value] : values) {
    words.push_back(fmt::format("{}={}", key,
                                value.is_number_float()
                                    ? fmt::format("{:.3g}", value.get<double>())
                                    : value.dump()));
  }
  return fmt::format("{}", fmt::join(words, " "));
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
