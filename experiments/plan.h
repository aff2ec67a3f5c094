#pragma once

#include <string>

#include "core/config.h"

namespace nestgrad {

/// What an experiment is and what it will cost, found out by a few steps:
/// shapes and counts, memory of tensors at the peak, seconds, and whether the
/// training loss has a second derivative. Throws ConfigError for mistakes.
Json make_plan(const Config& config);

/// The same for people, some lines.
std::string format_plan(const Json& plan);

}  // namespace nestgrad
