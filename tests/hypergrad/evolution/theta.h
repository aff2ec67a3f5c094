#pragma once

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The one hyperparameter of influence balancing.
inline ParameterSet theta(double value) {
  return {{"theta", at::scalar_tensor(value, float64())}};
}

}  // namespace nestgrad
