#pragma once

#include <cstddef>

#include "experiments/record/run_folder.h"
#include "experiments/sweep/sweep.h"
#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {

/// How a process takes part in a sweep.
struct SweepPart {
  int rank = 0;             ///< 0: it talks and writes the results
  int ranks = 1;            ///< processes that work on the sweep
  std::size_t earlier = 0;  ///< lines of runs.jsonl when they began
};

/// Takes runs of a sweep that nobody works on, until all are over: also those
/// of a process that is lost. Returns the exit code.
int take_part(RunFolder folder, SweepPlan plan, const SweepOptions& options,
              const SweepPart& part);

}  // namespace nestgrad
