#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "core/platform/files.h"
#include "experiments/data/data.h"

namespace nestgrad {
namespace {

using Fields = std::vector<std::string>;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The finite number in a field; none if it holds anything else.
std::optional<double> number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return {};
  return value;
}

/// A field as a message shows it, safe for any bytes.
std::string shown(std::string_view field) {
  constexpr std::size_t kLongest = 30;
  std::string text(field.substr(0, kLongest));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text + (field.size() > kLongest ? "..." : "");
}

/// Order of class names: numbers by value, then words by their bytes.
struct ClassOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto x = number(a), y = number(b);
    if (x && y) return *x < *y;
    if (x.has_value() != y.has_value()) return x.has_value();
    return a < b;
  }
};

/// Reads a text line by line. Remembers the line for messages.
class CsvReader {
 public:
  CsvReader(std::string path, char separator)
      : path_(std::move(path)), separator_(separator), text_(read_file(path_)) {
    rest_ = text_;
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
  }

  /// The fields of the next nonblank line; none at the end.
  Fields next() {
    while (!rest_.empty()) {
      const auto end = std::min(rest_.find('\n'), rest_.size());
      const std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++line_;
      if (!trimmed(line).empty()) return split(line);
    }
    return {};
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(fmt::format("'{}': {}", path_, reason));
  }
  [[noreturn]] void fail_here(const std::string& reason) const {
    throw Error(fmt::format("'{}', line {}: {}", path_, line_, reason));
  }

 private:
  /// Fields may be quoted. Within quotes, "" is a quote and separators are
  /// ordinary characters.
  Fields split(std::string_view line) const {
    Fields fields(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') {
        quoted = !quoted;
        fields.back() += c;
      } else if (c == separator_ && !quoted) {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    if (quoted) fail_here("a quote is opened but not closed on the same line");
    for (std::string& field : fields) field = unquoted(trimmed(field));
    return fields;
  }

  static std::string unquoted(std::string_view field) {
    if (field.size() < 2 || field.front() != '"' || field.back() != '"') {
      return std::string(field);
    }
    std::string text;
    for (std::size_t i = 1; i + 1 < field.size(); ++i) {
      text += field[i];
      if (field[i] == '"' && field[i + 1] == '"') ++i;
    }
    return text;
  }

  std::string path_;
  char separator_;
  std::string text_;
  std::string_view rest_;  // of `text_`
  int line_ = 0;
};

/// A table of numbers with one column of classes.
class Csv : public DataSource {
 public:
  static Schema schema() {
    return Schema("A table in a text file: numbers, and a column of classes.")
        .text("file", kRequired, "Path of the file.")
        .boolean("header", true,
                 "Whether the first line has the names of the columns.")
        .text(
            "target", "-1",
            "Column of the class: its name, or its number, counted from 0, or "
            "backwards from -1; the classes are the distinct values of this "
            "column in ascending order.")
        .choice("separator", "comma", "The character between two columns.",
                {"comma", "semicolon", "tab"});
  }

  explicit Csv(const Config& config)
      : path_(config.path("file")),
        header_(config.boolean("header")),
        target_(config.text("target")) {
    const std::string separator = config.text("separator");
    separator_ = separator == "comma" ? ',' : separator == "tab" ? '\t' : ';';
  }

  Examples load(const Key&) const override {
    CsvReader reader(path_, separator_);
    Fields row = reader.next();
    if (row.empty()) reader.fail("expected a table, but the file is empty");
    const std::size_t columns = row.size();
    if (columns < 2) {
      reader.fail_here(fmt::format(
          "expected 2 or more columns, separated by '{}', found 1",
          separator_ == '\t' ? std::string("\\t") : std::string{separator_}));
    }
    const Fields names = header_ ? row : Fields();
    const std::size_t target = target_column(reader, names, columns);
    if (header_) row = reader.next();
    if (row.empty()) reader.fail("expected examples below the header");

    std::vector<double> features;
    std::vector<std::string> labels;
    for (; !row.empty(); row = reader.next()) {
      if (row.size() != columns) {
        reader.fail_here(
            fmt::format("expected {} columns as in the first line, found {}",
                        columns, row.size()));
      }
      for (std::size_t i = 0; i < columns; ++i) {
        if (i != target) features.push_back(feature(reader, names, row, i));
      }
      if (row[target].empty()) reader.fail_here("the class is missing");
      labels.push_back(std::move(row[target]));
    }
    return {classified(features, labels), {}};
  }

 private:
  std::size_t target_column(const CsvReader& reader, const Fields& names,
                            std::size_t columns) const {
    const auto found = std::find(names.begin(), names.end(), target_);
    if (found != names.end()) {
      return static_cast<std::size_t>(found - names.begin());
    }
    const std::optional<double> position = number(target_);
    const auto count = static_cast<double>(columns);
    if (!position || *position != std::floor(*position) || *position < -count ||
        *position >= count) {
      reader.fail(fmt::format(
          "there is no target column '{}'; expected a name from the header or "
          "a whole number from {} to {}",
          target_, -count, count - 1));
    }
    return static_cast<std::size_t>(*position < 0 ? *position + count
                                                  : *position);
  }

  static double feature(const CsvReader& reader, const Fields& names,
                        const Fields& row, std::size_t column) {
    const std::optional<double> value = number(row[column]);
    if (!value) {
      reader.fail_here(
          fmt::format("column {} must be a finite number, is '{}'",
                      names.empty() ? std::to_string(column)
                                    : fmt::format("'{}'", shown(names[column])),
                      shown(row[column])));
    }
    return *value;
  }

  static Dataset classified(const std::vector<double>& features,
                            const std::vector<std::string>& labels) {
    std::map<std::string, std::int64_t, ClassOrder> classes;
    for (const std::string& label : labels) classes[label] = 0;
    std::int64_t count = 0;
    for (auto& [label, position] : classes) position = count++;
    std::vector<std::int64_t> targets;
    for (const std::string& label : labels) {
      targets.push_back(classes.at(label));
    }
    const auto examples = static_cast<std::int64_t>(labels.size());
    return {at::tensor(features, at::kDouble).view({examples, -1}),
            at::tensor(targets, at::kLong), count};
  }

  std::string path_;
  bool header_;
  std::string target_;
  char separator_;
};

NESTGRAD_REGISTER(DataRegistry, "csv", Csv)

}  // namespace
}  // namespace nestgrad
