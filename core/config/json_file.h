#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/platform/error.h"

namespace nestgrad {

/// JSON whose objects keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// The pointer `pointer` extended by `key`, in which "/" and "~" are escaped.
std::string join_pointer(const std::string& pointer, std::string_view key);

/// A value as one line. Messages may hold names of files, which need not be
/// UTF-8; bytes that are not are replaced.
std::string to_line(const Json& json);

/// A JSON document that remembers the line of each value, for messages.
class JsonFile {
 public:
  /// Reads a file, whose folders() are the working folder and the file's own.
  /// Throws Error if it cannot be read, ConfigError as parse().
  static JsonFile read(const std::string& path);

  /// Parses a text. Throws ConfigError on a syntax error (with line and column)
  /// and for every repeated key of an object, all at once. Comments are not
  /// allowed, nor more than 100 levels of nesting. `name` stands for the file
  /// in messages.
  static JsonFile parse(std::string_view text, std::string name);

  const std::string& name() const { return name_; }
  const Json& json() const { return json_; }

  /// The folders from which relative paths in the document are seen, absolute;
  /// see Config::folders().
  const std::vector<std::string>& folders() const { return folders_; }
  void see_from(const std::vector<std::string>& folders);

  /// Carries out `--set path=value`, for example "estimator.window=20". The
  /// value is JSON if it parses as JSON, otherwise a string. Missing objects on
  /// the path are created. Throws Error, and changes nothing, if the path runs
  /// through a value that is not an object, if it has an invalid list index, if
  /// there is no "=", or if the text is not UTF-8.
  void set(std::string_view assignment);

  /// The line of the value at a JSON pointer, or of its nearest ancestor that
  /// has a line. 0 if the value came from --set.
  int line(const std::string& pointer) const;

  /// A complaint in the form of a message:
  ///   configs/a.json:12: /estimator/window: must be at least 1, is 0
  /// "--set" replaces file and line if the value came from there.
  std::string describe(const Complaint& complaint) const;

  /// All complaints, one per line.
  std::string describe_all(const ConfigError& error) const;

 private:
  JsonFile(std::string name, Json json, std::map<std::string, int> lines)
      : name_(std::move(name)),
        json_(std::move(json)),
        lines_(std::move(lines)) {}

  std::string name_;
  Json json_;
  std::map<std::string, int> lines_;  // by JSON pointer
  std::vector<std::string> folders_;
};

}  // namespace nestgrad
