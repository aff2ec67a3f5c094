#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// A JSON object that has been checked against its schema: every key that the
/// schema names is there with the right type, defaults included. It knows where
/// in the file it is, so that a later complaint ("no such file") still names
/// the place.
///
/// Asking for a key that the schema does not have is a mistake of the
/// programmer and throws Error.
class Config {
 public:
  explicit Config(Json json, std::string pointer = "")
      : json_(std::move(json)), pointer_(std::move(pointer)) {}

  /// False for an optional key that was left out.
  bool has(const std::string& key) const { return json_.contains(key); }

  /// The name of the registered type that this object chooses.
  std::string type() const { return text("type"); }

  std::int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::string text(const std::string& key) const;
  /// A list; a single number counts as a list of one.
  std::vector<double> numbers(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;

  /// True if the key holds a word (e.g. "auto") where a number could be.
  bool is_text(const std::string& key) const;

  Config object(const std::string& key) const;
  std::vector<Config> objects(const std::string& key) const;

  const Json& json() const { return json_; }
  const Json& value(const std::string& key) const;

  /// The JSON pointer of this object, or of one of its keys.
  const std::string& pointer() const { return pointer_; }
  std::string pointer(const std::string& key) const {
    return join_pointer(pointer_, key);
  }

  /// Throws a ConfigError that points at `key`.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  Json json_;
  std::string pointer_;
};

}  // namespace nestgrad
