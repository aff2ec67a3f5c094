#pragma once

#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Weights that respond to a displacement u of the hyperparameters, those of
/// each example n of a minibatch to its own (MacKay et al. 2019, "Self-tuning
/// networks"). For every weight tensor W
///
///   W_n = W + diag(G u_n) R
///
/// R, the slope, has the shape of W. G, the gate, has one row for each row
/// (index of the first axis) of W. So row i of R is multiplied by the number
/// (G u_n)_i. The tensors may be on a tape.
struct RowResponse {
  std::vector<Tensor> slopes;  ///< R of every weight tensor, in their order
  std::vector<Tensor> gates;   ///< G: [rows of W, numbers of hyperparameters]
  Tensor displacement;         ///< u: [examples, numbers of hyperparameters]

  /// Whether a model's outputs are wanted to first order in the response. They
  /// are dual numbers then: the outputs for W, with their derivative in the
  /// direction W_n - W as the tangent.
  bool first_order = false;
};

}  // namespace nestgrad
