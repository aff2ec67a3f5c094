#pragma once

#include <cstddef>
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

/// Whether a field says that there is no value: it is empty, a question mark,
/// NA, N/A, nan or null.
bool is_missing(std::string_view field);

/// Order of texts: numbers by value, then words by their bytes. Texts of equal
/// numbers are equal.
struct TextOrder {
  char decimal = '.';

  bool operator()(const std::string& a, const std::string& b) const;
};

/// A field as a message shows it, safe for any bytes.
std::string shown_field(std::string_view field);

/// A table in a text file, read row by row. Remembers the line for messages.
///
/// Fields may be quoted. Within quotes, "" is a quote, and separators and line
/// breaks are ordinary characters. Text that is not UTF-8 is taken for
/// Windows-1252, which Latin-1 is a part of; fields are UTF-8.
class CsvFile {
 public:
  /// Throws Error if the file cannot be read.
  CsvFile(std::string path, char separator);
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  const std::string& path() const { return path_; }

  /// The fields of the next row; none at the end. Blank lines are no rows: they
  /// have no separator and no other character than spaces. Where the first row
  /// has one field, a blank line between rows is a row with an empty field.
  Fields next();

  /// Goes back to the first line.
  void rewind();

  /// The line, from 1 on, on which the row begins that next() returned last.
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
  bool is_blank(std::string_view row) const;
  std::string_view take_row();
  Fields split(std::string_view row) const;

  std::string path_;
  char separator_;
  std::string text_;       // without blank lines at its end
  char line_end_;          // the last character of each line
  std::string_view rest_;  // of `text_`
  int line_ = 0, next_line_ = 1;
  std::size_t width_ = 0;  // fields of the first row
};

}  // namespace nestgrad
