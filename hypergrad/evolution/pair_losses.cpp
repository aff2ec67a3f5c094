#include "hypergrad/evolution/pair_losses.h"

#include <ATen/ATen.h>

namespace nestgrad {

PairLosses::PairLosses(const Tensor& all, const Tensor& before) : all_(all) {
  const std::int64_t pairs = all.numel() / 2;
  const Tensor up = all.narrow(0, 0, pairs), down = all.narrow(0, pairs, pairs);
  raw_difference_ = up - down;
  finite_ =
      up.isfinite().logical_and(down.isfinite()).logical_and(before.isfinite());
  kept_ = finite_.sum().item<double>();
}

double PairLosses::particles_lost() const {
  return static_cast<double>(all_.numel()) - 2 * kept_;
}

Tensor PairLosses::masked(const Tensor& of_pairs) const {
  return of_pairs.masked_fill(~finite_, 0);
}

double PairLosses::deviation() const {
  return all_.masked_select(at::cat({finite_, finite_}))
      .std(0, /*unbiased=*/false)
      .item<double>();
}

}  // namespace nestgrad
