#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nestgrad {

/// The fields of a line of a table.
using Fields = std::vector<std::string>;

/// The finite number in a field; none if it holds anything else.
std::optional<double> number_in(std::string_view field);

/// A field as a message shows it, safe for any bytes.
std::string shown_field(std::string_view field);

/// A table in a text file, read line by line. Remembers the line for messages.
///
/// Fields may be quoted. Within quotes, "" is a quote and separators are
/// ordinary characters.
class CsvFile {
 public:
  /// Throws Error if the file cannot be read.
  CsvFile(std::string path, char separator);
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  /// The fields of the next nonblank line; none at the end.
  Fields next();

  /// The line of the fields that next() has returned last, from 1 on.
  int line() const { return line_; }

  /// Throws Error("'path': " + reason).
  [[noreturn]] void fail(const std::string& reason) const;

  /// Throws Error("'path', line 3: " + reason).
  [[noreturn]] void fail_here(const std::string& reason) const;

 private:
  Fields split(std::string_view line) const;

  std::string path_;
  char separator_;
  std::string text_;
  std::string_view rest_;  // of `text_`
  int line_ = 0;
};

}  // namespace nestgrad
