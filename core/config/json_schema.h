#pragma once

#include "core/config/json_file.h"
#include "core/config/schema.h"

namespace nestgrad {

/// The JSON Schema (draft 2020-12) of the configurations that complete(top, .)
/// takes, for editors and other validators: every key with its meaning, default
/// and range, every registered type under "$defs" as "kind.name".
///
/// It knows one key or value at a time. What depends on several (a
/// hyperparameter that nobody reads) is found when an experiment is built.
Json json_schema(const Schema& top);

}  // namespace nestgrad
