#pragma once

#include <cstdint>
#include <vector>

#include "experiments/judge/scaling_result.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// A few outer steps from the start of an experiment, with windows of another
/// length: what they take.
struct Rehearsal {
  std::int64_t window = 0;  ///< training steps
  Footprint footprint;      ///< of the estimator with this window

  double seconds = 0;  ///< of an outer step at the end of a window
  double staying = 0;  ///< of an outer step that does not train; 0 if there is
                       ///< none

  // Of an outer step at the end of a window.
  double train_gradients = 0, products = 0;
  Exchanges exchanges;

  std::int64_t estimate_bytes = 0;  ///< of tensors at the peak of an estimate
  std::int64_t bytes = 0;           ///< at the peak of everything
  double evaluation = 0;            ///< seconds; 0 if not asked for

  /// REQUIRES that `section` is the section of the experiment's estimator.
  /// `turns`: outer steps in each window. `whole`: also evaluates, and trains
  /// from scratch while all of tuning is in memory, as final runs do. Ends
  /// after the outer step that uses up `seconds`. Throws NotFinite if no outer
  /// step can be made.
  static Rehearsal of(const Experiment& experiment, const Config& section,
                      std::int64_t window, std::int64_t turns, bool whole,
                      double seconds);
};

/// The bytes that the runs of a pool come to hold when each is used for the
/// first time, beyond those of one: the start of its last window, say, or a
/// solution that the next solver starts from. `section`: the estimator's.
std::int64_t growth_of_pool(const Experiment& experiment,
                            const Config& section);

/// Seconds of a training step of an experiment, the first one left out.
double training_step_seconds(const Experiment& experiment);

}  // namespace nestgrad
