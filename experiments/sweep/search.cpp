#include "experiments/sweep/search.h"

namespace nestgrad {

std::int64_t coordinates(const std::vector<Dimension>& dimensions) {
  std::int64_t sum = 0;
  for (const Dimension& d : dimensions) sum += d.coordinates();
  return sum;
}

Assignment assignment_at(const std::vector<Dimension>& dimensions,
                         const double* coordinates) {
  Assignment out;
  for (const Dimension& d : dimensions) {
    out.emplace_back(d.key(), d.at(coordinates));
    coordinates += d.coordinates();
  }
  return out;
}

}  // namespace nestgrad
