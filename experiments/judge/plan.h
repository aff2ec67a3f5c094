#pragma once

#include "core/config/config.h"
#include "core/platform/memory_meter.h"
#include "experiments/judge/plan_result.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// What an experiment is and what it will cost, found out by a few steps:
/// shapes and counts, memory of tensors at the peak, seconds, and whether the
/// training loss has a second derivative. Throws ConfigError for mistakes.
PlanResult make_plan(const Config& config);

/// The same for an experiment that has been built from `config` and is about to
/// run, without an answer about the second derivative. `memory` has been
/// running since before it was built.
PlanResult make_plan(const Config& config, const Experiment& experiment,
                     const MemoryMeter& memory);

}  // namespace nestgrad
