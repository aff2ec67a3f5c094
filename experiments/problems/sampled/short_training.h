#pragma once

#include <functional>

#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// How a network is trained that a problem needs before tuning begins.
struct ShortTraining {
  std::int64_t steps;
  double lr;  ///< of Adam, at the start; it falls to 0 by a cosine
};

/// The weights after this training on loss(weights, step), from `weights` on.
/// The same arguments give the same result.
ParameterSet trained(const ShortTraining& training, ParameterSet weights,
                     const std::function<Tensor(const ParameterSet& weights,
                                                std::int64_t step)>& loss);

}  // namespace nestgrad
