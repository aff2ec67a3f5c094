#pragma once

#include "core/config/json_file.h"
#include "core/config/schema.h"

namespace nestgrad {

/// The JSON Schema (draft 2020-12) of the configurations that complete(top, .)
/// accepts, for editors and other validators. It has every key with its
/// meaning, default and range, and every registered type under "$defs" as
/// "kind.name".
///
/// It describes keys one by one. Conditions on several keys (a hyperparameter
/// that nothing reads) are checked when an experiment is built.
Json json_schema(const Schema& top);

}  // namespace nestgrad
