#include "core/nn/exported/json_parts.h"

#include <limits>

namespace nestgrad {

const Json& part_of(const Json& json, const char* key) {
  require(json.is_object() && json.contains(key), "it is damaged: no '{}'",
          key);
  return json[key];
}

const Json& object_of(const Json& json, const char* key) {
  const Json& part = part_of(json, key);
  require(part.is_object(), "it is damaged: '{}' is not an object", key);
  return part;
}

const Json& array_of(const Json& json, const char* key) {
  const Json& part = part_of(json, key);
  require(part.is_array(), "it is damaged: '{}' is not a list", key);
  return part;
}

const std::string& text_of(const Json& json, const char* key) {
  const Json& part = part_of(json, key);
  require(part.is_string(), "it is damaged: '{}' is not a text", key);
  return part.get_ref<const std::string&>();
}

std::int64_t integer_of(const Json& json, const char* key) {
  return as_integer(part_of(json, key), key);
}

std::int64_t as_integer(const Json& json, const char* what) {
  const bool fits = json.is_number_integer() &&
                    (!json.is_number_unsigned() ||
                     json.get<std::uint64_t>() <=
                         static_cast<std::uint64_t>(
                             std::numeric_limits<std::int64_t>::max()));
  require(fits, "it is damaged: '{}' is not a whole number", what);
  return json.get<std::int64_t>();
}

double as_number(const Json& json, const char* what) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (json == "Infinity") return kInfinity;
  if (json == "-Infinity") return -kInfinity;
  if (json == "NaN") return std::numeric_limits<double>::quiet_NaN();
  require(json.is_number(), "it is damaged: '{}' is not a number", what);
  return json.get<double>();
}

std::pair<std::string, const Json*> only_entry(const Json& json,
                                               const char* what) {
  require(json.is_object() && json.size() == 1,
          "it is damaged: {} must be an object with one key", what);
  const auto entry = json.begin();
  return {entry.key(), &entry.value()};
}

}  // namespace nestgrad
