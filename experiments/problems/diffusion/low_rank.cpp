#include "experiments/problems/diffusion/low_rank.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/platform/error.h"

namespace nestgrad {

LowRank::LowRank(ParameterSet base, std::int64_t rank, double alpha)
    : base_(std::move(base)),
      rank_(rank),
      scale_(alpha / static_cast<double>(rank)) {}

Tensor LowRank::initial(const Key& key) const {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < base_.size(); ++i) {
    const Tensor& w = base_.tensors()[i];
    if (w.dim() < 2) continue;
    const std::int64_t out = w.size(0), in = w.numel() / out;
    const Tensor a = key.fold(i).uniform(at::empty({rank_ * in}, w.options()));
    all.push_back((2 * a - 1) / std::sqrt(static_cast<double>(in)));
    all.push_back(at::zeros({out * rank_}, w.options()));
  }
  return at::cat(all);
}

ParameterSet LowRank::updated(const Tensor& numbers) const {
  std::int64_t first = 0;
  const auto next = [&](std::int64_t rows, std::int64_t columns) {
    first += rows * columns;
    require(first <= numbers.numel(),
            "an update of rank {} needs more than {} numbers", rank_,
            numbers.numel());
    return numbers.narrow(0, first - rows * columns, rows * columns)
        .view({rows, columns});
  };
  return base_.map([&](const Tensor& w) {
    if (w.dim() < 2) return w;
    const std::int64_t out = w.size(0), in = w.numel() / out;
    const Tensor a = next(rank_, in), b = next(out, rank_);
    return w + scale_ * b.mm(a).view(w.sizes());
  });
}

}  // namespace nestgrad
