#pragma once

#include "core/problem.h"
#include "experiments/record/run_folder.h"

namespace nestgrad {

/// Writes samples of a problem that makes them, from the same noise before and
/// after tuning:
///
///   samples.npz   `before` and `after`, float32, in the units of the source
///   samples.png   images, those before in the first row and those after below;
///                 or points of the plane
///
/// Writes nothing for other problems, and no picture of other samples.
void write_samples(const RunFolder& folder, const BilevelProblem& problem,
                   const ParameterSet& before, const ParameterSet& after);

}  // namespace nestgrad
