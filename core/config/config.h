#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// A JSON object that has been checked against its schema: every key has its
/// type, and defaults are filled in. It knows its place in the file, so a later
/// complaint ("no such file") can name it.
///
/// Asking for a key that the schema does not have is a programmer's mistake and
/// throws Error.
class Config {
 public:
  /// `folders`: see folders().
  explicit Config(Json json, std::string pointer = "",
                  std::vector<std::string> folders = {})
      : json_(std::move(json)),
        pointer_(std::move(pointer)),
        folders_(std::move(folders)) {}

  /// False for an optional key that was left out.
  bool has(const std::string& key) const { return json_.contains(key); }

  /// The registered type that the object chooses.
  std::string type() const { return text("type"); }

  std::int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;

  /// The number under an optional key, or `otherwise`.
  double number_or(const std::string& key, double otherwise) const {
    return has(key) ? number(key) : otherwise;
  }
  bool boolean(const std::string& key) const;
  std::string text(const std::string& key) const;
  /// A list. A single number counts as a list of one.
  std::vector<double> numbers(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;

  /// The path of the file or the folder that `key` names, for this process to
  /// open. A relative path is looked for in folders(); without folders it stays
  /// as it is. Throws ConfigError if no folder has it.
  std::string path(const std::string& key) const;

  /// Whether the key holds a string (e.g. "auto") instead of a number.
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

  /// The folders from which relative paths are seen; the first that has the
  /// file counts. None if the configuration was not read from a file.
  const std::vector<std::string>& folders() const { return folders_; }

  /// Throws a ConfigError at `key`.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  Json json_;
  std::string pointer_;
  std::vector<std::string> folders_;
};

}  // namespace nestgrad
