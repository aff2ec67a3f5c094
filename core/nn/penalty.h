#pragma once

#include "core/row_response.h"

namespace nestgrad {

/// sum_j decay_j w_j^2 / 2 over all weights, as a scalar tensor on the tape of
/// both sets. `decay` is one number for all, or one per layer, per tensor or
/// per weight; see spread() in core/hyperparameter.h. With particles one number
/// for each of them, [particles].
Tensor l2_penalty(const ParameterSet& weights, const Tensor& decay,
                  std::int64_t particles = 0);

/// The mean over examples of this penalty where each has weights w_b and decays
/// of its own; see Draw::response. `decay`: [examples] or [examples, n], n as
/// above but not one per weight.
Tensor l2_penalty(const ParameterSet& weights, const RowResponse& response,
                  const Tensor& decay);

}  // namespace nestgrad
