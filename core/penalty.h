#pragma once

#include "core/parameter_set.h"

namespace nestgrad {

/// sum_j decay_j w_j^2 / 2 over all weights, as a scalar tensor on the tape of
/// both sets. `decay` is one number for all, or one per layer, per tensor or
/// per weight; see spread() in core/hyperparameter.h.
Tensor l2_penalty(const ParameterSet& weights, const Tensor& decay);

}  // namespace nestgrad
