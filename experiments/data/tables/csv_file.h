#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nestgrad {

/// The fields of a line of a table.
using Fields = std::vector<std::string>;

/// The finite number in a field; none if it holds anything else. `decimal`
/// stands before the fraction.
std::optional<double> number_in(std::string_view field, char decimal = '.');

/// Whether a field says that there is no value: it is empty, NA, N/A, nan, null
/// or ?.
bool is_missing(std::string_view field);

/// Order of texts: numbers by value, then words by their bytes. Texts of equal
/// numbers are equal.
struct TextOrder {
  char decimal = '.';

  bool operator()(const std::string& a, const std::string& b) const;
};

/// A field as a message shows it, safe for any bytes.
std::string shown_field(std::string_view field);

/// A table in a text file, read line by line. Remembers the line for messages.
///
/// Fields may be quoted. Within quotes, "" is a quote and separators are
/// ordinary characters. Text that is not UTF-8 is taken for Latin-1; fields are
/// UTF-8.
class CsvFile {
 public:
  /// Throws Error if the file cannot be read.
  CsvFile(std::string path, char separator);
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  const std::string& path() const { return path_; }

  /// The fields of the next nonblank line; none at the end.
  Fields next();

  /// Goes back to the first line.
  void rewind();

  /// The line of the fields that next() has returned last, from 1 on.
  int line() const { return line_; }

  /// Throws Error("'path': " + reason).
  [[noreturn]] void fail(const std::string& reason) const;

  /// Throws Error("'path', line 3: " + reason).
  [[noreturn]] void fail_at(int line, const std::string& reason) const;

  /// The same for line().
  [[noreturn]] void fail_here(const std::string& reason) const {
    fail_at(line_, reason);
  }

 private:
  Fields split(std::string_view line) const;

  std::string path_;
  char separator_;
  std::string text_;
  std::string_view rest_;  // of `text_`
  int line_ = 0;
};

}  // namespace nestgrad
