#pragma once

#include <string>

#include "core/config/config.h"
#include "core/distributed/world.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// What the ranks of an experiment divide.
enum class Divided { kNothing, kParticles, kStarts, kExamples };

/// "particles", "starts", "examples", as configurations spell it; "" for
/// kNothing.
std::string to_string(Divided divided);

/// What several ranks are to divide, as the configuration says or, if it does
/// not, the estimator allows.
Divided wanted_divided(const Config& config,
                       const HypergradientEstimator& estimator);

/// The same for these ranks; nothing if there is one, without "shares". `tunes`
/// is false where the estimator only trains. Throws ConfigError if they cannot.
Divided choose_divided(const Config& config, const World& world,
                       const HypergradientEstimator& estimator,
                       const TrainingLoop& loop, bool tunes);

}  // namespace nestgrad
