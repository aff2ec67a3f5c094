#include <ATen/ATen.h>

#include "experiments/sweep/search.h"

namespace nestgrad {
namespace {

/// Independent draws (Bergstra and Bengio, 2012). A longer search begins with
/// the trials of a shorter one.
class RandomSearch : public Search {
 public:
  static Schema schema() {
    return Schema("Independent draws.")
        .integer("trials", 20, "Number of trials.", from_to(1, 100000));
  }
  explicit RandomSearch(const Config& config)
      : trials_(config.integer("trials")) {}

  std::vector<Assignment> trials(const std::vector<Dimension>& dimensions,
                                 const Key& key) const override {
    std::vector<Assignment> out;
    const std::int64_t n = std::max<std::int64_t>(1, coordinates(dimensions));
    for (std::int64_t i = 0; i < trials_; ++i) {
      const Tensor u = key.fold(static_cast<std::uint64_t>(i))
                           .uniform(at::empty({n}, at::kDouble))
                           .contiguous();
      out.push_back(assignment_at(dimensions, u.data_ptr<double>()));
    }
    return out;
  }

 private:
  std::int64_t trials_;
};

NESTGRAD_REGISTER(SearchRegistry, "random", RandomSearch)

}  // namespace
}  // namespace nestgrad
