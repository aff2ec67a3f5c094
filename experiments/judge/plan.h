#pragma once

#include <string>

#include "core/config/config.h"
#include "core/platform/memory_meter.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// What an experiment is and what it will cost, found out by a few steps:
/// shapes and counts, memory of tensors at the peak, seconds, and whether the
/// training loss has a second derivative. Throws ConfigError for mistakes.
Json make_plan(const Config& config);

/// The same for an experiment that has been built from `config`. `memory` began
/// before that.
Json make_plan(const Config& config, const Experiment& experiment,
               const MemoryMeter& memory);

/// The same for people, some lines.
std::string format_plan(const Json& plan);

/// Memory and time alone: "up to 214 MiB of tensors, about 18.8 s".
std::string format_cost(const Json& plan);

}  // namespace nestgrad
