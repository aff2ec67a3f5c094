#pragma once

#include <memory>
#include <string>

#include "core/config/config.h"
#include "experiments/problems/saved_network.h"

namespace nestgrad {

/// The network that a run hands out, with the weights of the end of tuning.
struct RunNetwork {
  Config config;  ///< of the run
  SavedNetwork saved;
  std::unique_ptr<const Model> model;
  ParameterSet weights;

  /// `run`: the folder of a run. Throws Error if it has no network.
  static RunNetwork load(const std::string& run);

  /// The hyperparameters that layers name, as the weights are.
  ParameterSet settings() const {
    return saved.settings.to(weights.tensors().front().options());
  }
};

}  // namespace nestgrad
