#pragma once

#include "experiments/setup/experiment.h"

namespace nestgrad {

/// Takes the state of an experiment out of the snapshot of a Run. Throws Error
/// if it cannot belong to this experiment. Collective.
void restore_experiment(Experiment& experiment, const Snapshot& saved);

}  // namespace nestgrad
