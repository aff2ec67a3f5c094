#pragma once

#include <ATen/core/Tensor.h>

#include "core/config/config.h"

namespace nestgrad {

// What the key "precision" of a configuration means.

/// The same configuration. What was called "dtype" in runs of before 2026-11-27
/// is called "precision".
Json with_precision(Json config);

/// The type of weights, hyperparameters and losses.
at::ScalarType number_type(const Config& config);

/// Whether networks compute in bfloat16.
bool is_bfloat16(const Config& config);

/// Whether networks are rounded more than number_type() rounds.
bool rounds_networks(const Config& config);

/// The same experiment in float64.
Config in_float64(const Config& config);

/// Throws ConfigError if a number that the losses, the rules or the estimator
/// use is something else in number_type(). Starts of hyperparameters are judged
/// where their coordinates are known.
void require_representable_numbers(const Config& config);

/// Has LibTorch multiply in this precision from now on. Throws ConfigError if
/// the device or the problem knows nothing of it.
void prepare_precision(const Config& config, const at::Device& device);

}  // namespace nestgrad
