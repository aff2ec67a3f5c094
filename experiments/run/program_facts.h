#pragma once

#include "core/config/config.h"

namespace nestgrad {

/// Everything besides its configuration that determines the bits of a run: the
/// versions of this program and of LibTorch, threads, and plugins.
Json program_facts();

/// What run.json says about a run that begins now.
Json start_facts(const Config& config);

}  // namespace nestgrad
