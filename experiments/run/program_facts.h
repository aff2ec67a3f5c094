#pragma once

#include "core/config/json_file.h"

namespace nestgrad {

/// Everything besides its configuration that determines the bits of a run: the
/// versions of this program and of LibTorch, threads, and plugins.
Json program_facts();

}  // namespace nestgrad
