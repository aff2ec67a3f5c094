#include <ATen/ATen.h>

#include <cmath>

#include "experiments/black_box/black_box_search.h"

namespace nestgrad {
namespace {

/// Independent draws, uniform over the intervals or over their logarithms
/// (Bergstra and Bengio 2012, "Random search for hyper-parameter
/// optimization").
class RandomDraws : public BlackBoxSearch {
 public:
  RandomDraws(const Config& /*config*/, const SearchContext& context)
      : context_(context) {}

  static Schema schema() {
    return Schema("Independent draws, uniform over each interval.");
  }

  std::vector<double> next(const std::vector<Trial>& trials) override {
    const auto count = static_cast<std::int64_t>(context_.numbers.size());
    const Tensor u = context_.key.fold(trials.size())
                         .uniform(at::empty({count}, at::kDouble))
                         .contiguous();
    std::vector<double> out;
    for (std::int64_t i = 0; i < count; ++i) {
      const SearchedNumber& n = context_.numbers[static_cast<std::size_t>(i)];
      const double at = u.data_ptr<double>()[i];
      out.push_back(n.logarithmic ? n.low * std::pow(n.high / n.low, at)
                                  : n.low + at * (n.high - n.low));
    }
    return out;
  }

  bool learns() const override { return false; }

 private:
  SearchContext context_;
};

NESTGRAD_REGISTER(BlackBoxRegistry, "random", RandomDraws)

}  // namespace
}  // namespace nestgrad
