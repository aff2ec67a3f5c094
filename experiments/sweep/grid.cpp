#include "experiments/sweep/search.h"

namespace nestgrad {
namespace {

constexpr std::size_t kMostTrials = 100000;

/// Every combination of values; the last key varies fastest.
class Grid : public Search {
 public:
  static Schema schema() {
    return Schema("Every combination of the values of all keys.");
  }
  explicit Grid(const Config&) {}

  std::vector<Assignment> trials(const std::vector<Dimension>& dimensions,
                                 const Key&) const override {
    std::vector<Assignment> out(1);
    for (const Dimension& d : dimensions) {
      std::vector<Assignment> longer;
      for (const Assignment& start : out) {
        for (const Json& value : d.grid()) {
          require(longer.size() < kMostTrials,
                  "a grid of more than {} combinations", kMostTrials);
          longer.push_back(start);
          longer.back().emplace_back(d.key(), value);
        }
      }
      out = std::move(longer);
    }
    return out;
  }
};

NESTGRAD_REGISTER(SearchRegistry, "grid", Grid)

}  // namespace
}  // namespace nestgrad
