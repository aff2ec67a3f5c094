#pragma once

#include "core/config/config.h"
#include "experiments/judge/plan_result.h"

namespace nestgrad {

/// What 1, 2, 4, ... and `ranks` ranks would take for an outer step of an
/// experiment, in this process alone: it rehearses the part of one of 2 ranks
/// and of one of the most, with exchanges that nobody answers. The others are
/// on a line through these, by 1 / ranks. `cost` is that of one rank.
Scaling make_scaling(const Config& config, const PlanCost& cost, int ranks,
                     const Link& link);

}  // namespace nestgrad
