#pragma once

#include <string>

#include "core/config/config.h"
#include "core/distributed/world.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// What the ranks of an experiment divide.
enum class Divided { kNothing, kParticles, kStarts, kExamples };

/// "particles", "starts", "examples", as configurations spell it; "".
std::string to_string(Divided divided);

/// What they divide, as the configuration says or the estimator allows. `tunes`
/// is false where the estimator only trains. Throws ConfigError if they cannot.
Divided choose_divided(const Config& config, const World& world,
                       const HypergradientEstimator& estimator,
                       const TrainingLoop& loop, bool tunes);

}  // namespace nestgrad
