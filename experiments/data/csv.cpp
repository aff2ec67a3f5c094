#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/platform/warnings.h"
#include "experiments/data/csv_file.h"
#include "experiments/data/data.h"
#include "experiments/data/labels.h"

namespace nestgrad {
namespace {

const std::map<std::string, char> kSeparators = {
    {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}};

/// Order of class names: numbers by value, then words by their bytes.
struct ClassOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto x = number_in(a), y = number_in(b);
    if (x && y) return *x < *y;
    if (x.has_value() != y.has_value()) return x.has_value();
    return a < b;
  }
};

/// What has been read of a table.
struct Table {
  Fields names;            // of the columns; empty if there are none
  std::size_t target = 0;  // column of the class
  Tensor inputs;           // [examples, features]
  std::vector<std::string> labels;
  std::vector<int> lines;  // of the examples

  std::string name(std::size_t column) const {
    return names.empty() ? std::to_string(column)
                         : fmt::format("'{}'", shown_field(names[column]));
  }

  /// The column of feature number `feature`.
  std::string feature_name(std::int64_t feature) const {
    const auto i = static_cast<std::size_t>(feature);
    return "column " + name(i < target ? i : i + 1);
  }
};

/// Refuses features that are all constant. Warns of those that tell nothing:
/// constant ones and the numbers of the lines.
void judge_features(const std::string& path, const Table& table) {
  const std::int64_t n = table.inputs.size(0), features = table.inputs.size(1);
  if (n < 2) return;
  std::vector<std::string> constant, counting;
  for (std::int64_t i = 0; i < features; ++i) {
    const Tensor x = table.inputs.select(1, i);
    const Tensor step = x.slice(0, 1) - x.slice(0, 0, n - 1);
    if (step.eq(0).all().item<bool>()) {
      constant.push_back(table.feature_name(i));
    }
    const auto first = x[0].item<double>();
    const bool counts =
        n > 5 && (first == 0 || first == 1) && step.eq(1).all().item<bool>();
    if (counts) counting.push_back(table.feature_name(i));
  }
  require(static_cast<std::int64_t>(constant.size()) < features,
          "'{}': all examples have the same features", path);
  if (!constant.empty()) {
    constexpr std::size_t kShown = 3;
    const std::size_t count = constant.size();
    constant.resize(std::min(count, kShown));
    add_warning(fmt::format(
        "'{}': {}{} the same value in all examples and tells nothing", path,
        fmt::join(constant, ", "),
        count > kShown ? fmt::format(" and {} more have", count - kShown)
        : count > 1    ? " have"
                       : " has"));
  }
  for (const std::string& column : counting) {
    add_warning(fmt::format(
        "'{}': {} numbers the examples from the first to the last, so it is no "
        "feature of them; remove it from the file",
        path, column));
  }
}

/// A table of numbers with one column of classes.
class Csv : public DataSource {
 public:
  static Schema schema() {
    return with_classes_key(
        Schema("A table in a text file: numbers, and a column of classes.")
            .text("file", kRequired, "Path of the file.")
            .boolean("header", kAbsent,
                     "Whether the first line has the names of the columns. "
                     "Left out: it has, and a first line of numbers is "
                     "refused, since it seems to be an example.")
            .text("target", "-1",
                  "Column of the class: its name, or its number, counted from "
                  "0, or backwards from -1; the classes are the distinct "
                  "values of this column in ascending order.")
            .choice("separator", "comma", "The character between two columns.",
                    {"comma", "semicolon", "tab"}));
  }

  explicit Csv(const Config& config)
      : path_(config.path("file")),
        target_(config.text("target")),
        told_classes_(read_classes(config)) {
    if (config.has("header")) header_ = config.boolean("header");
    separator_ = kSeparators.at(config.text("separator"));
  }

  Examples load(const Key&) const override {
    const auto table = std::make_shared<const Table>(read());
    judge_features(path_, *table);
    Examples out{classified(*table), {}};
    out.place = [path = path_, table](std::int64_t example,
                                      std::int64_t feature) {
      return fmt::format("'{}', line {}: {}", path,
                         table->lines[static_cast<std::size_t>(example)],
                         table->feature_name(feature));
    };
    return out;
  }

 private:
  Table read() const {
    CsvFile reader(path_, separator_);
    Fields row = reader.next();
    if (row.empty()) reader.fail("expected a table, but the file is empty");
    const std::size_t columns = row.size();
    if (columns < 2) fail_at_one_column(reader, row.front());
    Table table;
    std::vector<double> features;
    if (first_line_has_names(reader, row)) table.names = row;
    table.target = target_column(reader, table.names, columns);
    if (!table.names.empty()) row = reader.next();
    if (row.empty()) reader.fail("expected examples below the header");
    for (; !row.empty(); row = reader.next()) {
      if (row.size() != columns) {
        reader.fail_here(
            fmt::format("expected {} columns as in the first line, found {}",
                        columns, row.size()));
      }
      for (std::size_t i = 0; i < columns; ++i) {
        if (i == table.target) continue;
        features.push_back(feature(reader, table, row, i));
      }
      std::string& label = row[table.target];
      if (label.empty()) reader.fail_here("the class is missing");
      table.labels.push_back(std::move(label));
      table.lines.push_back(reader.line());
    }
    table.inputs =
        at::tensor(features, at::kDouble)
            .view({static_cast<std::int64_t>(table.labels.size()), -1});
    return table;
  }

  [[noreturn]] void fail_at_one_column(const CsvFile& reader,
                                       const std::string& line) const {
    std::string advice;
    for (const auto& [name, character] : kSeparators) {
      if (line.find(character) == std::string::npos) continue;
      advice = fmt::format("; set \"separator\" to \"{}\"?", name);
    }
    reader.fail_here(fmt::format(
        "expected 2 or more columns, separated by '{}', found 1{}",
        separator_ == '\t' ? std::string("\\t") : std::string{separator_},
        advice));
  }

  /// The key "header" or, where it is left out, true. Fails if the line looks
  /// like an example: all of its features are numbers.
  bool first_line_has_names(const CsvFile& reader, const Fields& line) const {
    if (header_) return *header_;
    if (!number_in(target_) &&
        std::count(line.begin(), line.end(), target_) > 0) {
      return true;
    }
    const std::size_t target = target_column(reader, {}, line.size());
    bool words = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      words = words || (i != target && !number_in(line[i]));
    }
    if (words) return true;
    reader.fail_here(fmt::format(
        "{}, so this seems to be an example and not the names of the columns; "
        "set \"header\" to false or, if these are names, to true",
        number_in(line[target]) ? "there are only numbers"
                                : "all features are numbers"));
  }

  std::size_t target_column(const CsvFile& reader, const Fields& names,
                            std::size_t columns) const {
    const std::optional<double> position = number_in(target_);
    // "-1" is the last column even if one is called so.
    if (!position || *position >= 0) {
      const auto found = std::find(names.begin(), names.end(), target_);
      if (found != names.end()) {
        if (std::count(names.begin(), names.end(), target_) > 1) {
          reader.fail(
              fmt::format("there are several columns '{}'; take the "
                          "number of the target column",
                          target_));
        }
        return static_cast<std::size_t>(found - names.begin());
      }
    }
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

  /// What may be done about a field that is no number.
  static const char* advice_on(const Table& table, std::string field) {
    if (table.names.empty() && table.labels.empty()) {
      return "; if this line has the names of the columns, set \"header\" to "
             "true";
    }
    std::replace(field.begin(), field.end(), ',', '.');
    if (number_in(field)) return "; decimal commas must be points";
    for (const char* missing : {"", "?", "NA", "N/A", "nan", "NaN", "null"}) {
      if (field == missing) {
        return "; a missing value has to be filled in, or its line removed";
      }
    }
    return "";
  }

  static double feature(const CsvFile& reader, const Table& table,
                        const Fields& row, std::size_t column) {
    const std::optional<double> value = number_in(row[column]);
    if (!value) {
      reader.fail_here(fmt::format(
          "column {} must be a finite number, is '{}'{}", table.name(column),
          shown_field(row[column]), advice_on(table, row[column])));
    }
    return *value;
  }

  Dataset classified(const Table& table) const {
    std::map<std::string, std::int64_t, ClassOrder> classes;
    for (const std::string& label : table.labels) classes[label] = 0;
    warn_of_spellings(table, classes);
    std::int64_t count = 0;
    for (auto& [label, position] : classes) position = count++;
    std::vector<std::int64_t> targets;
    for (const std::string& label : table.labels) {
      targets.push_back(classes.at(label));
    }
    Labels labels;
    labels.where =
        fmt::format("'{}', column {}", path_, table.name(table.target));
    labels.targets = at::tensor(targets, at::kLong);
    labels.classes = count;
    labels.told = told_classes_;
    labels.distinct_values = true;
    describe_numbers(table, classes, labels);
    return {table.inputs, labels.targets, number_of_classes(labels)};
  }

  /// Warns of labels that are the same but for upper and lower case, and of
  /// words among numbers.
  template <class Classes>
  void warn_of_spellings(const Table& table, const Classes& classes) const {
    const std::string where =
        fmt::format("'{}', column {}", path_, table.name(table.target));
    std::map<std::string, std::string> known;
    for (const auto& [label, position] : classes) {
      std::string lower = label;
      for (char& c : lower) {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
      const auto [other, is_new] = known.emplace(lower, label);
      if (is_new) continue;
      add_warning(fmt::format("{}: '{}' and '{}' are taken for two classes",
                              where, shown_field(other->second),
                              shown_field(label)));
    }
    const std::string &first = classes.begin()->first,
                      &last = classes.rbegin()->first;
    if (number_in(first) && !number_in(last)) {
      add_warning(fmt::format(
          "{}: some labels are numbers, others are not, '{}' for instance; "
          "each is taken for a class",
          where, shown_field(last)));
    }
  }

  /// Fills in what is to be said about labels that are all numbers. `classes`
  /// has the labels in ascending order.
  template <class Classes>
  static void describe_numbers(const Table& table, const Classes& classes,
                               Labels& out) {
    // Words come after numbers.
    if (!number_in(classes.rbegin()->first)) return;
    for (const std::string& label : table.labels) {
      const double value = *number_in(label);
      if (value != std::floor(value)) ++out.fractions;
    }
    const double least = *number_in(classes.begin()->first);
    const double largest = *number_in(classes.rbegin()->first);
    const bool counts =
        out.fractions == 0 && (least == 0 || least == 1) &&
        largest - least + 1 == static_cast<double>(classes.size());
    if (!counts) out.numbers = fmt::format("from {} to {}", least, largest);
  }

  std::string path_;
  std::optional<bool> header_;
  std::string target_;
  std::int64_t told_classes_;
  char separator_;
};

NESTGRAD_REGISTER(DataRegistry, "csv", Csv)

}  // namespace
}  // namespace nestgrad
