#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// A file with one JSON object per line, which grows while a run lasts. A run
/// that is restored continues it where it was when the state was saved: what
/// came later is cut off.
class JsonLines {
 public:
  /// Throws Error if the file cannot be written. What it holds is cut off by
  /// the first append(), unless persist() restored before.
  explicit JsonLines(std::string path);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  /// Continues after the whole lines that the file holds already.
  void keep();

  /// Throws Error if the system refuses (a full disk).
  void append(const Json& line);

  /// Makes what was appended last through a power cut.
  void flush();

  /// The lines that were appended.
  std::vector<Json> lines() const;

  void persist(Archive& archive);

 private:
  [[noreturn]] void fail() const;

  std::string path_;
  int file_;
  std::int64_t length_ = 0;  // bytes that count
};

/// What `read` makes of files that this program has written. If they are not as
/// it writes them, throws Error with the name of their folder.
template <class Read>
auto as_written(const std::string& folder, Read&& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: a file is not as it was written: {}", folder,
                            error.what()));
  }
}

/// The objects of such a text; a last line that is not whole is left out.
std::vector<Json> parse_json_lines(const std::string& text);

}  // namespace nestgrad
