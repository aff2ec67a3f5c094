#pragma once

#include "core/problem.h"
#include "faults.h"

namespace nestgrad::testing {

/// - The same draw gives the same losses, whatever was evaluated before.
/// - Losses are finite scalars on the tapes of weights and hyperparameters;
///   neither is changed.
/// - First weights follow the key.
/// - First and second derivatives of the training loss, the mixed one included,
///   and first ones of the validation loss are right: central differences along
///   random directions, to 1e-4. A problem without second derivatives throws
///   Unsupported.
///
/// `hyperparameters`: the section of a configuration that says which are tuned,
/// and from where on; default: all that the problem offers.
Faults problem_faults(const Json& section,
                      const Json& hyperparameters = Json::object());

}  // namespace nestgrad::testing
