#pragma once

#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Weights that answer a displacement u of the hyperparameters, each example b
/// of a minibatch its own (MacKay et al. 2019, "Self-tuning networks"):
///
///   w_b = w + diag(G u_b) R
///
/// for every weight tensor w. R, the slope, has the shape of w; G, the gate,
/// has one row for each row (index of the first dimension) of w, so a row of R
/// is scaled by one number. All on whatever tapes they are.
struct RowResponse {
  std::vector<Tensor> slopes;  ///< R of every weight tensor, in their order
  std::vector<Tensor> gates;   ///< G: [rows of w, numbers of hyperparameters]
  Tensor displacement;         ///< u: [examples, numbers of hyperparameters]
};

}  // namespace nestgrad
