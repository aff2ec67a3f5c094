#pragma once

#include "core/config/config.h"
#include "faults.h"

namespace nestgrad::testing {

/// - The same key gives the same examples.
/// - Inputs are finite. There is one label per input, and labels are numbers of
///   classes.
Faults dataset_faults(const Json& section);

}  // namespace nestgrad::testing
