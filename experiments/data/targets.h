#pragma once

#include "core/config/config.h"
#include "experiments/data/data.h"

namespace nestgrad {

// Targets that are numbers, between their source and the network.

/// (t - mean) / deviation, with one mean and deviation of the training targets
/// for each number, in double precision. What is constant up to rounding
/// becomes 0. Throws ConfigError at "standardize_targets" for classes.
Splits with_standardized_targets(Splits splits, const Config& data);

/// Throws ConfigError at `data` if a target is a number that is not finite in
/// this type.
void require_representable_targets(const Config& data, const Splits& splits,
                                   at::ScalarType type);

}  // namespace nestgrad
