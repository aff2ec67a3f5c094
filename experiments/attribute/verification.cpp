#include "experiments/attribute/verification.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nestgrad {
namespace {

/// Ranks from 0, equal values share the mean of theirs.
Tensor ranks(const Tensor& values) {
  const Tensor v = values.to(at::kCPU, at::kDouble).contiguous();
  const double* x = v.data_ptr<double>();
  std::vector<std::int64_t> order(static_cast<std::size_t>(v.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return x[a] < x[b]; });
  Tensor out = at::empty_like(v);
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && x[order[end]] == x[order[i]]) ++end;
    const double rank = static_cast<double>(i + end - 1) / 2;
    for (; i < end; ++i) out.data_ptr<double>()[order[i]] = rank;
  }
  return out;
}

double score(const Tensor& predicted, const Tensor& truth) {
  double sum = 0;
  for (std::int64_t j = 0; j < truth.size(1); ++j) {
    sum += rank_correlation(predicted.select(1, j), truth.select(1, j));
  }
  return sum / static_cast<double>(truth.size(1));
}

}  // namespace

double rank_correlation(const Tensor& a, const Tensor& b) {
  const Tensor x = ranks(a), y = ranks(b);
  const Tensor dx = x - x.mean(), dy = y - y.mean();
  return (at::dot(dx, dy) / (dx.norm() * dy.norm())).item<double>();
}

Estimated linear_datamodelling_score(const Tensor& predicted,
                                     const Tensor& truth, const Key& key) {
  constexpr std::uint64_t kSamples = 1000;
  const std::int64_t subsets = truth.size(0);
  std::vector<double> sampled;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const Tensor u = key.fold(i).uniform(at::empty({subsets}, at::kDouble));
    const Tensor which = (u * static_cast<double>(subsets)).to(at::kLong);
    const double s =
        score(predicted.index_select(0, which), truth.index_select(0, which));
    if (!std::isnan(s)) sampled.push_back(s);
  }
  Estimated out{score(predicted, truth), NAN, NAN};
  if (sampled.size() < kSamples / 2) return out;
  std::sort(sampled.begin(), sampled.end());
  out.low = sampled[sampled.size() / 40];
  out.high = sampled[sampled.size() - 1 - sampled.size() / 40];
  return out;
}

}  // namespace nestgrad
