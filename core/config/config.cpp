#include "core/config/config.h"

#include <fmt/ranges.h>

#include <filesystem>

#include "core/platform/files.h"

namespace nestgrad {
namespace {

bool is_integer(const Json& json) { return json.is_number_integer(); }
bool is_number(const Json& json) { return json.is_number(); }
bool is_boolean(const Json& json) { return json.is_boolean(); }
bool is_string(const Json& json) { return json.is_string(); }

template <class T>
T convert(const Json& json, const std::string& pointer,
          bool (*fits)(const Json&), const char* wanted) {
  require(fits(json), "{}: {} was asked for, but the schema allows a {}",
          pointer, wanted, json.type_name());
  return json.get<T>();
}

template <class T>
std::vector<T> convert_all(const Json& json, const std::string& pointer,
                           bool (*fits)(const Json&), const char* wanted) {
  if (!json.is_array()) return {convert<T>(json, pointer, fits, wanted)};
  std::vector<T> values;
  for (const Json& value : json) {
    values.push_back(convert<T>(value, pointer, fits, wanted));
  }
  return values;
}

}  // namespace

std::int64_t Config::integer(const std::string& key) const {
  return convert<std::int64_t>(value(key), pointer(key), is_integer,
                               "a whole number");
}

double Config::number(const std::string& key) const {
  return convert<double>(value(key), pointer(key), is_number, "a number");
}

bool Config::boolean(const std::string& key) const {
  return convert<bool>(value(key), pointer(key), is_boolean, "true or false");
}

std::string Config::text(const std::string& key) const {
  return convert<std::string>(value(key), pointer(key), is_string, "a string");
}

std::vector<double> Config::numbers(const std::string& key) const {
  return convert_all<double>(value(key), pointer(key), is_number, "numbers");
}

std::vector<std::int64_t> Config::integers(const std::string& key) const {
  return convert_all<std::int64_t>(value(key), pointer(key), is_integer,
                                   "whole numbers");
}

std::vector<std::string> Config::texts(const std::string& key) const {
  return convert_all<std::string>(value(key), pointer(key), is_string,
                                  "strings");
}

std::string Config::path(const std::string& key) const {
  const std::string given = text(key);
  if (folders_.empty() || std::filesystem::path(given).is_absolute()) {
    return given;
  }
  const std::string found = found_in(folders_, given);
  if (found.empty()) {
    fail(key, fmt::format("there is no '{}' in {}", given,
                          fmt::join(folders_, " or in ")));
  }
  return found;
}

bool Config::is_text(const std::string& key) const {
  return value(key).is_string();
}

Config Config::object(const std::string& key) const {
  const Json& json = value(key);
  require(json.is_object(),
          "{}: an object was asked for, but the schema allows a {}",
          pointer(key), json.type_name());
  return Config(json, pointer(key), folders_);
}

std::vector<Config> Config::objects(const std::string& key) const {
  const Json& json = value(key);
  require(json.is_array(),
          "{}: a list was asked for, but the schema allows a {}", pointer(key),
          json.type_name());
  std::vector<Config> configs;
  for (std::size_t i = 0; i < json.size(); ++i) {
    configs.emplace_back(json[i], join_pointer(pointer(key), std::to_string(i)),
                         folders_);
  }
  return configs;
}

const Json& Config::value(const std::string& key) const {
  const auto found = json_.find(key);
  require(found != json_.end(),
          "{}: the key '{}' was asked for, but is not in the schema",
          pointer(key), key);
  return *found;
}

void Config::fail(const std::string& key, const std::string& what) const {
  throw ConfigError(pointer(key), what);
}

}  // namespace nestgrad
