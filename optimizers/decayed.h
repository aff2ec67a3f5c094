#pragma once

#include "core/optimizer.h"

namespace nestgrad {

/// g + weight_decay w, the gradient of f + weight_decay |w|^2 / 2; g itself if
/// the setting is the constant 0.
inline ParameterSet decayed(const ParameterSet& gradient,
                            const Setting& weight_decay,
                            const TrainState& state,
                            const ParameterSet& natural) {
  if (weight_decay.is(0)) return gradient;
  return add(gradient, weight_decay.scale(natural, state), state.weights);
}

}  // namespace nestgrad
