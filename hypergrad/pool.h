#pragma once

#include <memory>

#include "hypergrad/estimator.h"

namespace nestgrad {

/// The estimator of a section. If its "pool" is more than 1, an estimate takes
/// one of so many runs of inner training, drawn at random, which goes on by one
/// turn; the others stay. Networks of different ages then judge successive
/// hyperparameters, for the price of one (Zhou, Nezhadarya and Ba 2022,
/// "Dataset distillation using neural feature regression").
///
/// With a horizon of K steps, run i of n ends for the first time after
/// K - i K / n steps, rounded up to whole windows, so that ages are spread from
/// the beginning. Run 0 is what there is without a pool.
std::unique_ptr<HypergradientEstimator> make_with_pool(
    const Config& section, const TrainingLoop& loop);

}  // namespace nestgrad
