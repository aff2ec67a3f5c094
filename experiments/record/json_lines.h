#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// A file with one JSON object per line that grows during a run. A restored run
/// continues it from its length when the state was saved; later lines are cut
/// off.
class JsonLines {
 public:
  /// Throws Error if the file cannot be written. The first append() discards
  /// the old contents, unless persist() has restored or keep() was called.
  explicit JsonLines(std::string path);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  /// Continues after the complete lines of the file.
  void keep();

  /// Throws Error if the system refuses (a full disk).
  void append(const Json& line);

  /// Forces appended lines to the disk, so that they survive a power cut.
  void flush();

  /// The appended lines.
  std::vector<Json> lines() const;

  void persist(Archive& archive);

 private:
  [[noreturn]] void fail() const;

  std::string path_;
  int file_;
  std::int64_t length_ = 0;  // valid bytes
};

/// Calls `read`, which parses files that this program has written. If their
/// contents are invalid, throws Error with the name of their folder.
template <class Read>
auto as_written(const std::string& folder, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: a file is not as it was written: {}", folder,
                            error.what()));
  }
}

/// The objects of a text with one per line. An incomplete last line is ignored.
std::vector<Json> parse_json_lines(const std::string& text);

}  // namespace nestgrad
