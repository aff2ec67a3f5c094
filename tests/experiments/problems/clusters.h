#pragma once

#include <cstdint>
#include <utility>

#include "core/config/json_file.h"

namespace nestgrad {

/// A small distillation: examples of three clusters for a perceptron.
inline Json clusters(std::int64_t examples, Json start = "noise") {
  return {{"type", "distillation"},
          {"data",
           {{"type", "gaussian_clusters"},
            {"classes", 3},
            {"features", 4},
            {"spread", 0.5},
            {"train", 60},
            {"valid", 30},
            {"test", 30},
            {"standardize", true}}},
          {"model", {{"type", "mlp"}, {"hidden", {5}}, {"activation", "tanh"}}},
          {"examples", examples},
          {"start", std::move(start)},
          {"valid_batch", 0}};
}

}  // namespace nestgrad
