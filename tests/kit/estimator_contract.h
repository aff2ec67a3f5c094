#pragma once

#include "faults.h"
#include "hypergrad/estimator.h"

namespace nestgrad::testing {

/// - After begin(h, key), estimates depend on the calls and the key alone.
/// - h is not changed, results are finite, alike to h and on no tape.
/// - begin() forgets everything; a restored estimator continues identically,
///   with cold, warm and truncated training.
/// - Several outer steps of one window see the same training.
/// - The estimate is the derivative of claim(), if there is one: central
///   differences, to 1e-6, for a quadratic and for a network.
Faults estimator_faults(const Json& section);

}  // namespace nestgrad::testing
