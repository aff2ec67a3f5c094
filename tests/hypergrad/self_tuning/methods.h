#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hypergrad/estimator.h"

// What the tests of self-tuning networks share.

namespace nestgrad {

inline const std::vector<std::string> kMethods = {"stn", "delta_stn"};

inline std::unique_ptr<HypergradientEstimator> make(const Json& json,
                                                    const TrainingLoop& loop) {
  return EstimatorRegistry::instance().make(json, loop);
}

}  // namespace nestgrad
