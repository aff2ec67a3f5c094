#include "experiments/problems/diffusion/low_rank.h"

#include <ATen/ATen.h>

#include <cmath>

namespace nestgrad {

LowRank::LowRank(ParameterSet base, std::int64_t rank, double alpha)
    : base_(std::move(base)), scale_(alpha / static_cast<double>(rank)) {
  for (std::size_t i = 0; i < base_.size(); ++i) {
    const Tensor& w = base_.tensors()[i];
    if (w.dim() < 2) continue;
    const std::int64_t out = w.size(0), in = w.numel() / out;
    factors_.insert(base_.name(i) + ".a", at::zeros({rank, in}, w.options()));
    factors_.insert(base_.name(i) + ".b", at::zeros({out, rank}, w.options()));
  }
}

Tensor LowRank::initial(const Key& key) const {
  std::vector<Tensor> all = factors_.tensors();
  std::size_t next = 0;
  for (std::size_t i = 0; i < base_.size(); ++i) {
    if (base_.tensors()[i].dim() < 2) continue;
    Tensor& a = all[next];
    a = (2 * key.fold(i).uniform(a) - 1) /
        std::sqrt(static_cast<double>(a.size(1)));
    next += 2;
  }
  return factors_.with(std::move(all)).flatten();
}

ParameterSet LowRank::updated(const Tensor& numbers) const {
  const ParameterSet factors = factors_.unflatten(numbers);
  std::size_t next = 0;
  return base_.map([&](const Tensor& w) {
    if (w.dim() < 2) return w;
    const Tensor& a = factors.tensors()[next++];
    const Tensor& b = factors.tensors()[next++];
    return w + scale_ * b.mm(a).view(w.sizes());
  });
}

}  // namespace nestgrad
