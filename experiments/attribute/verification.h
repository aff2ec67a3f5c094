#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A number and its 95 % interval.
struct Estimated {
  double value = 0, low = 0, high = 0;
};

/// The linear datamodelling score (Park, Georgiev, Ilyas, Leclerc and Madry
/// 2023, "TRAK: attributing model behavior at scale"): Spearman's rank
/// correlation of the predicted and the true values over subsets of the
/// training examples, the mean over targets. `predicted` and `truth`: [subsets,
/// targets], float64. The interval is that of 1,000 bootstrap samples of the
/// subsets, drawn by `key`. REQUIRES three subsets or more.
Estimated linear_datamodelling_score(const Tensor& predicted,
                                     const Tensor& truth, const Key& key);

/// Spearman's rank correlation of two lists, [n]: that of their ranks, where
/// equal values share the mean of their ranks. NaN if one is constant.
double rank_correlation(const Tensor& a, const Tensor& b);

}  // namespace nestgrad
