#include <ATen/ATen.h>

#include "experiments/sweep/search.h"

namespace nestgrad {
namespace {

/// Sobol's sequence with the direction numbers of Joe and Kuo (2008) that
/// LibTorch contains, shifted as a whole by a random vector (modulo 1) that
/// depends on the seed. Of each aligned 2^k points, every aligned interval of
/// length 2^-k contains equally many.
class Sobol : public Search {
 public:
  static Schema schema() {
    return Schema(
               "Sobol's sequence: draws that fill the space evenly. Best with "
               "a power of two.")
        .integer("trials", 16, "Number of trials.", from_to(1, 100000))
        .boolean("shift", true,
                 "Whether to shift the sequence by a random vector.");
  }
  explicit Sobol(const Config& config)
      : trials_(config.integer("trials")), shift_(config.boolean("shift")) {}

  std::vector<Assignment> trials(const std::vector<Dimension>& dimensions,
                                 const Key& key) const override {
    const std::int64_t n = std::max<std::int64_t>(1, coordinates(dimensions));
    constexpr std::int64_t kBits = 30, kMostDimensions = 1111;
    require(n <= kMostDimensions,
            "Sobol's sequence has at most {} dimensions, {} are varied",
            kMostDimensions, n);
    Tensor state = at::zeros({n, kBits}, at::kLong);
    state = at::_sobol_engine_initialize_state_(state, n);
    // The engine omits the first point, the origin.
    const Tensor rest = std::get<0>(at::_sobol_engine_draw(
        at::zeros({n}, at::kLong), std::max<std::int64_t>(trials_ - 1, 1),
        state, n, 0, at::kDouble));
    Tensor points =
        at::cat({at::zeros({1, n}, at::kDouble), rest}).slice(0, 0, trials_);
    if (shift_)
      points = (points + key.uniform(at::empty({n}, at::kDouble))).frac();
    points = points.contiguous();
    std::vector<Assignment> out;
    for (std::int64_t i = 0; i < trials_; ++i) {
      out.push_back(
          assignment_at(dimensions, points.data_ptr<double>() + i * n));
    }
    return out;
  }

 private:
  std::int64_t trials_;
  bool shift_;
};

NESTGRAD_REGISTER(SearchRegistry, "sobol", Sobol)

}  // namespace
}  // namespace nestgrad
