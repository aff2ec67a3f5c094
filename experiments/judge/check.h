#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/config/config.h"

namespace nestgrad {

struct CheckOptions {
  /// How far, relatively, an estimate may be from what the method claims.
  double tolerance = 1e-5;

  /// How far it may be from what the method approximates; not limited if left
  /// out, but an estimate that points uphill never passes.
  std::optional<double> max_bias = {};

  std::int64_t windows = 1;  ///< of training before the estimate that is judged
  std::int64_t keys = 20;    ///< of a method that is random

  /// Hears what comes next, in words; may be empty.
  std::function<void(const std::string&)> progress = {};
};

/// Judges the configured estimator at the initial hyperparameters, by two
/// questions. Does it compute what it claims? Central differences of its claim
/// answer that. How far is that from what it approximates? A reference
/// hypergradient does (Target in hypergrad/estimator.h).
///
/// The result holds "claim" and "bias", each with the relative "error",
/// "cosine" and "norm_ratio"; "random" for a method that is; a "verdict" in a
/// sentence and whether it has "passed". Throws ConfigError for mistakes.
Json check_estimator(const Config& config, const CheckOptions& options);

/// The same for people, some lines.
std::string format_check(const Json& result);

}  // namespace nestgrad
