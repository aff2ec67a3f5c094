#pragma once

#include "core/config/config.h"
#include "faults.h"

namespace nestgrad::testing {

/// - The same key gives the same examples.
/// - Inputs are finite, there are as many labels, and these are classes.
Faults dataset_faults(const Json& section);

}  // namespace nestgrad::testing
