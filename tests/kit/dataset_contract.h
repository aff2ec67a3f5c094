#pragma once

#include "core/config/config.h"
#include "faults.h"

namespace nestgrad::testing {

/// - The same key gives the same examples.
/// - Inputs are finite, except for values that a table lacks. There is one
///   target per input: the number of a class, or finite numbers.
/// - There is a name for each class or number, or there are no names.
/// - All parts have examples of the same shape and the same kind of targets.
Faults dataset_faults(const Json& section);

}  // namespace nestgrad::testing
