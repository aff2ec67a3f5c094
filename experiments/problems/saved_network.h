#pragma once

#include "core/nn/model.h"
#include "experiments/data/saved_preparation.h"
#include "experiments/problems/loss.h"

namespace nestgrad {

/// What a network needs, beside its model and its weights, to be asked about
/// new examples. A value that is saved with the weights.
struct SavedNetwork {
  Preparation preparation;  ///< of examples
  Loss loss;                ///< which says what outputs mean
  Shape outputs;            ///< the shape of the output for one example

  /// The hyperparameters that layers name, in their own units.
  ParameterSet settings = {};

  Json to_json() const;

  /// Throws Error if this is not what to_json() writes.
  static SavedNetwork from_json(const Json& json);
};

}  // namespace nestgrad
