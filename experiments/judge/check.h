#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/config/config.h"
#include "experiments/judge/check_result.h"

namespace nestgrad {

struct CheckOptions {
  /// The largest relative distance between an estimate and what the method
  /// claims.
  double tolerance = 1e-5;

  /// The largest relative distance between an estimate and what the method
  /// approximates. Without it that distance is not limited, but an estimate
  /// that points uphill never passes.
  std::optional<double> max_bias = {};

  std::int64_t windows = 1;  ///< of training before the estimate that is judged
  std::int64_t keys = 20;    ///< draws of a method that is random

  /// Told what comes next, in words; may be empty.
  std::function<void(const std::string&)> progress = {};
};

/// Judges the configured estimator at the initial hyperparameters, in float64,
/// by two questions. Does it compute what it claims? Central differences of its
/// claim are the reference. How far is that from what it approximates? A
/// reference hypergradient tells (Target in hypergrad/estimator.h). Where the
/// configuration has another precision, the estimate in it is compared with the
/// one in float64. Throws ConfigError for mistakes.
CheckResult check_estimator(const Config& config, const CheckOptions& options);

}  // namespace nestgrad
