#pragma once

#include <cstdint>
#include <string>

#include "core/config/json_file.h"

namespace nestgrad {

// Parts of a JSON object that some program has written. Each function throws
// Error, naming the key, if there is no value under it or one of another kind.

const Json& part_of(const Json& json, const char* key);
const Json& object_of(const Json& json, const char* key);
const Json& array_of(const Json& json, const char* key);
const std::string& text_of(const Json& json, const char* key);
std::int64_t integer_of(const Json& json, const char* key);

/// The same of a value itself. `what` names it in messages.
std::int64_t as_integer(const Json& json, const char* what);

/// Also the texts "Infinity", "-Infinity" and "NaN", as PyTorch writes them.
double as_number(const Json& json, const char* what);

/// The only key of an object, and its value: a tagged union.
std::pair<std::string, const Json*> only_entry(const Json& json,
                                               const char* what);

}  // namespace nestgrad
