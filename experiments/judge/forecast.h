#pragma once

#include "core/config/config.h"
#include "core/platform/memory_meter.h"
#include "experiments/judge/plan_result.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// What an experiment will cost, found out by rehearsals: a few outer steps
/// with short windows. They take at most a tenth of the experiment's own time
/// or ten seconds, whichever is more. Budgets of tuning and of final runs are
/// obeyed; early stopping by a metric is not foreseen.
///
/// The experiment has been built from `config`; `memory` has been running since
/// before that. Throws NotFinite if the first outer step is impossible, because
/// its numbers are not finite, and whatever the experiment itself throws.
PlanCost forecast(const Config& config, const Experiment& experiment,
                  const MemoryMeter& memory);

}  // namespace nestgrad
