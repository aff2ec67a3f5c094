#include "hypergrad/evolution/pair_losses.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace nestgrad {

PairLosses::PairLosses(const Tensor& all, const Tensor& before)
    : all_(all.contiguous()) {
  const std::int64_t pairs = all_.numel() / 2;
  const double* const up = all_.data_ptr<double>();
  const double* const down = up + pairs;
  raw_difference_ = all_.narrow(0, 0, pairs) - all_.narrow(0, pairs, pairs);
  const Tensor last = before.contiguous();
  const double* const earlier = last.data_ptr<double>();
  for (std::int64_t i = 0; i < pairs; ++i) {
    finite_.push_back(std::isfinite(up[i]) && std::isfinite(down[i]) &&
                      std::isfinite(earlier[i]));
  }
  kept_ = std::count(finite_.begin(), finite_.end(), true);
}

double PairLosses::particles_lost() const {
  return 2 * (static_cast<double>(finite_.size()) - kept());
}

Tensor PairLosses::masked(const Tensor& of_pairs) const {
  if (kept_ == raw_difference_.numel()) return of_pairs;
  Tensor lost = at::empty(raw_difference_.sizes(), at::kBool);
  for (std::size_t i = 0; i < finite_.size(); ++i) {
    lost[static_cast<std::int64_t>(i)] = !finite_[i];
  }
  return of_pairs.masked_fill(lost.to(of_pairs.device()), 0);
}

double PairLosses::deviation() const {
  const double* const losses = all_.data_ptr<double>();
  const std::size_t pairs = finite_.size();
  const auto sum_over_kept = [&](auto&& of) {
    double sum = 0;
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
      if (finite_[i % pairs]) sum += of(losses[i]);
    }
    return sum;
  };
  const double count = 2 * kept();
  const double mean = sum_over_kept([](double x) { return x; }) / count;
  const double squares =
      sum_over_kept([&](double x) { return (x - mean) * (x - mean); });
  return std::sqrt(squares / count);
}

}  // namespace nestgrad
