#pragma once

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// An update of low rank of the matrices W of a network (Hu et al. 2021, "LoRA:
/// low-rank adaptation of large language models"):
///
///   W + (alpha / rank) B A,   A: [rank, in],   B: [out, rank]
///
/// Tensors of one axis stay. A kernel of a convolution counts as a matrix with
/// a row for each of its outputs. The numbers of all A and B are one vector.
class LowRank {
 public:
  LowRank(ParameterSet base, std::int64_t rank, double alpha);

  /// How many numbers an update has.
  std::int64_t count() const { return factors_.numel(); }

  /// A is U(+-1/sqrt(in)) and B is 0, so that the first update is none.
  Tensor initial(const Key& key) const;

  /// The base with the update, on the tape of `numbers`.
  ParameterSet updated(const Tensor& numbers) const;

 private:
  ParameterSet base_;
  ParameterSet factors_;  // zeros: A, B of each matrix, in order
  double scale_;
};

}  // namespace nestgrad
