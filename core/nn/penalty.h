#pragma once

#include "core/row_response.h"

namespace nestgrad {

/// sum_j decay_j w_j^2 / 2 over all weights: a scalar tensor, differentiable in
/// `weights` and `decay`. `decay` is one number for all weights, or one per
/// layer, per tensor or per weight; see spread() in core/hyperparameter.h. With
/// particles, the result has shape [particles].
Tensor l2_penalty(const ParameterSet& weights, const Tensor& decay,
                  std::int64_t particles = 0);

/// The mean over examples of this penalty, where example b has its own weights
/// w_b and its own decays; see Draw::response. `decay` has shape [examples] or
/// [examples, n], with n as above, but not one per weight.
Tensor l2_penalty(const ParameterSet& weights, const RowResponse& response,
                  const Tensor& decay);

}  // namespace nestgrad
