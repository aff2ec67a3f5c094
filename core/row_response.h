#pragma once

#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Weights that respond to a displacement u of the hyperparameters,
/// individually for each example b of a minibatch (MacKay et al. 2019,
/// "Self-tuning networks"):
///
///   w_b = w + diag(G u_b) R
///
/// for every weight tensor w. The slope R has the shape of w. The gate G has
/// one row for each row (index of the first dimension) of w, so each row of R
/// is scaled by one number. Keeps every tape.
struct RowResponse {
  std::vector<Tensor> slopes;  ///< R of every weight tensor, in their order
  std::vector<Tensor> gates;   ///< G: [rows of w, numbers of hyperparameters]
  Tensor displacement;         ///< u: [examples, numbers of hyperparameters]
};

}  // namespace nestgrad
