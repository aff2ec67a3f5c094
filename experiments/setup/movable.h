#pragma once

#include "core/config/config.h"
#include "core/training_loop.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// Throws ConfigError, with what to take instead, if a hyperparameter is tuned
/// that this estimator never moves, because what it approximates does not
/// depend on it:
///
///  - at given weights, losses do not depend on the settings of the training
///    rule; a fixed point of training does,
///  - at given weights, nothing depends on how training began.
///
/// `experiment` is the whole configuration, `section` that of the estimator,
/// which may be another one than in it.
void require_movable(const Config& experiment, const Config& section,
                     const HypergradientEstimator& estimator,
                     const TrainingLoop& loop);

/// Warns of hyperparameters with one number per training step that have more
/// numbers than the `steps` training steps of a run.
void warn_of_unused_steps(const Config& experiment, std::int64_t steps);

}  // namespace nestgrad
