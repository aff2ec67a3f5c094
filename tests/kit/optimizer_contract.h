#pragma once

#include "core/optimizer.h"
#include "faults.h"

namespace nestgrad::testing {

/// - A step changes none of its arguments and can be repeated.
/// - The memory starts as zeros, named slot/weight.
/// - Derivatives of three steps by weights, slots, gradients and settings are
///   right: central differences, to 1e-6.
///
/// `natural`: numbers, in double precision, of the hyperparameters that the
/// section names. Name one for each setting ("lr": "$lr").
Faults optimizer_faults(const Json& section, const ParameterSet& natural);

}  // namespace nestgrad::testing
