#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/platform/warnings.h"
#include "experiments/data/data.h"
#include "experiments/data/labels.h"
#include "experiments/data/saved_preparation.h"
#include "experiments/data/tables/table_reader.h"

namespace nestgrad {
namespace {

/// Columns that tell nothing: constant ones, and the numbers of the lines.
struct Idle {
  std::vector<std::string> constant, counting;
};

Idle idle_columns(const TableColumns& table, const Tensor& cells) {
  const std::int64_t n = cells.size(0);
  Idle out;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const Tensor x = cells.select(1, static_cast<std::int64_t>(i));
    const Tensor step = x.slice(0, 1) - x.slice(0, 0, n - 1);
    if (step.eq(0).all().item<bool>()) {
      out.constant.push_back(table.called(i));
    }
    const auto first = x[0].item<double>();
    const bool counts = !table.columns[i].is_text && n > 5 &&
                        (first == 0 || first == 1) &&
                        step.eq(1).all().item<bool>();
    if (counts) out.counting.push_back(table.called(i));
  }
  return out;
}

/// Warns of columns that have the same value everywhere.
void warn_of_constant(const std::string& path, std::vector<std::string> columns,
                      const char* where) {
  if (columns.empty()) return;
  constexpr std::size_t kShown = 3;
  const std::size_t count = columns.size();
  columns.resize(std::min(count, kShown));
  std::string all = fmt::format("{}", fmt::join(columns, ", "));
  if (count > kShown) all += fmt::format(" and {} more", count - kShown);
  add_warning(fmt::format("'{}': {} {} the same value in all {} and {} nothing",
                          path, all, count > 1 ? "have" : "has", where,
                          count > 1 ? "tell" : "tells"));
}

/// Refuses features that are all constant. Warns of those that tell nothing.
void judge_features(const TableColumns& table, const Tensor& cells) {
  if (cells.size(0) < 2) return;
  const Idle idle = idle_columns(table, cells);
  require(idle.constant.size() < table.columns.size(),
          "'{}': all examples have the same features", table.path);
  warn_of_constant(table.path, idle.constant, "examples");
  for (const std::string& column : idle.counting) {
    add_warning(fmt::format(
        "'{}': {} numbers the examples from the first to the last, so it is no "
        "feature of them; name it in \"drop\"",
        table.path, column));
  }
}

/// The classes of a column of texts.
struct Classes {
  std::vector<std::string> names;  // in ascending order, one of each spelling
  Tensor targets;                  // int64, [rows]
};

Classes classes_of(const TableColumn& column, const Tensor& cells,
                   char decimal) {
  std::map<std::string, std::int64_t, TextOrder> numbers(TextOrder{decimal});
  for (const std::string& text : column.texts) numbers.emplace(text, 0);
  Classes out;
  for (auto& [name, number] : numbers) {
    number = static_cast<std::int64_t>(out.names.size());
    out.names.push_back(name);
  }
  std::vector<std::int64_t> of_texts;
  for (const std::string& text : column.texts) {
    of_texts.push_back(numbers.at(text));
  }
  out.targets =
      at::tensor(of_texts, at::kLong).index_select(0, cells.to(at::kLong));
  return out;
}

/// Warns of labels that are the same but for upper and lower case, and of words
/// among numbers.
void warn_of_spellings(const std::string& where,
                       const std::vector<std::string>& labels, char decimal) {
  std::map<std::string, std::string> known;
  for (const std::string& label : labels) {
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
  if (number_in(labels.front(), decimal) &&
      !number_in(labels.back(), decimal)) {
    add_warning(fmt::format(
        "{}: some labels are numbers, others are not, '{}' for instance; each "
        "is taken for a class",
        where, shown_field(labels.back())));
  }
}

/// Fills in what is to be said about labels that are all numbers.
void describe_numbers(const Classes& classes, char decimal, Labels& out) {
  // Words come after numbers.
  if (!number_in(classes.names.back(), decimal)) return;
  out.numbers_key = "targets";
  const Tensor counts = at::bincount(
      classes.targets, {}, static_cast<std::int64_t>(classes.names.size()));
  for (std::size_t k = 0; k < classes.names.size(); ++k) {
    const double value = *number_in(classes.names[k], decimal);
    if (value == std::floor(value)) continue;
    out.fractions += counts[static_cast<std::int64_t>(k)].item<std::int64_t>();
  }
  const double least = *number_in(classes.names.front(), decimal);
  const double largest = *number_in(classes.names.back(), decimal);
  const bool counting =
      out.fractions == 0 && (least == 0 || least == 1) &&
      largest - least + 1 == static_cast<double>(classes.names.size());
  if (!counting) out.numbers = fmt::format("from {} to {}", least, largest);
}

/// A table with one or more columns of targets.
class Csv : public DataSource {
 public:
  static Schema schema() {
    Schema out(
        "A table in a text file: columns of numbers and of texts, which are "
        "taken for categories, and a column of classes or several columns of "
        "numbers to be predicted.");
    out.text("file", kRequired, "Path of the file.")
        .text("valid_file", kAbsent,
              "File of the validation set, with the same columns. Left out: a "
              "part of \"file\".")
        .text("test_file", kAbsent,
              "File of the test set, with the same columns. Left out: a part "
              "of \"file\".");
    out = ColumnChoice::with_keys(TableFormat::with_keys(std::move(out)));
    out.choice("targets", "classes",
               "What the targets are: classes, the distinct values of the "
               "target column in ascending order; or numbers, one for each "
               "target column.",
               {"classes", "numbers"})
        .integer("most_categories", kAbsent,
                 "The most different texts that a column of features may have "
                 "that \"categories\" does not name. Left out: 50, and half as "
                 "many as rows.",
                 at_least(1));
    return with_classes_key(std::move(out));
  }

  explicit Csv(const Config& config)
      : path_(config.path("file")),
        format_(TableFormat::read(config)),
        choice_(ColumnChoice::read(config)),
        numbers_(config.text("targets") == "numbers"),
        told_classes_(read_classes(config)) {
    if (config.has("most_categories")) {
      most_categories_ = config.integer("most_categories");
    }
    for (const auto& [key, file] : {std::pair("valid_file", &valid_path_),
                                    std::pair("test_file", &test_path_)}) {
      if (!config.has(key)) continue;
      *file = config.path(key);
      if (!choice_.split.empty()) {
        config.fail(key, "must be left out where \"split_column\" is given");
      }
    }
    if (!numbers_ && choice_.targets.size() > 1) {
      config.fail("target",
                  "must be one column where \"targets\" is \"classes\"; "
                  "several target columns are \"numbers\", those of 0 and 1 "
                  "as well");
    }
    if (numbers_ && told_classes_ > 0) {
      config.fail("classes",
                  "must be left out where \"targets\" is \"numbers\"");
    }
  }

  Examples load(const Key&) const override {
    const Table table = read();
    Dataset all = numbers_ ? with_numbers(table) : with_classes(table);
    std::vector<Tensor> rows;
    for (std::int64_t part = 0; part < 3; ++part) {
      rows.push_back(table.parts.eq(part).nonzero().squeeze(1));
    }
    require(rows[0].numel() > 0, "'{}': no row belongs to the part train",
            path_);
    Examples out;
    for (const auto& [part, data] :
         {std::pair(0, &out.training), std::pair(1, &out.valid),
          std::pair(2, &out.test)}) {
      const Tensor& of_part = rows[static_cast<std::size_t>(part)];
      if (of_part.numel() == 0) continue;
      const Batch chosen =
          all.rows(of_part.numel() == all.size() ? Tensor() : of_part);
      *data = {chosen.input, chosen.target, all.classes, all.target_names};
    }
    judge_features(table.columns, out.training.inputs);
    if (numbers_) judge_numbers(table, out.training.targets);
    TableColumns columns = table.columns;
    columns.valid_path = valid_path_;
    columns.test_path = test_path_;
    out.columns = std::make_shared<const TableColumns>(std::move(columns));
    out.place = [places = table.places, order = at::cat(rows)](
                    std::int64_t example, std::int64_t column) {
      return places(order[example].item<std::int64_t>(), column);
    };
    return out;
  }

  NewExamples load_new(const std::string& path,
                       const Preparation& trained) const override {
    return {Dataset{trained.features_in(path), Tensor()}};
  }

 private:
  using Kind = TableReader::Kind;

  Table read() const {
    TableReader reader(format_, choice_,
                       numbers_ ? Kind::kNumbers : Kind::kTexts,
                       most_categories_);
    reader.read(path_, 0);
    if (!valid_path_.empty()) reader.read(valid_path_, 1);
    if (!test_path_.empty()) reader.read(test_path_, 2);
    return reader.table();
  }

  static Dataset with_numbers(const Table& table) {
    Dataset out{table.cells, table.target_cells};
    for (const TableColumn& target : table.targets) {
      out.target_names.push_back(target.name);
    }
    return out;
  }

  Dataset with_classes(const Table& table) const {
    const char decimal = format_.decimal;
    const TableColumn& column = table.targets.front();
    Classes classes =
        classes_of(column, table.target_cells.select(1, 0), decimal);
    Labels labels;
    labels.where = fmt::format("'{}', {}", path_, table.columns.called(column));
    warn_of_spellings(labels.where, classes.names, decimal);
    labels.targets = classes.targets;
    labels.classes = static_cast<std::int64_t>(classes.names.size());
    labels.told = told_classes_;
    labels.distinct_values = true;
    describe_numbers(classes, decimal, labels);
    Dataset out{table.cells, classes.targets, number_of_classes(labels),
                std::move(classes.names)};
    // Classes that are told and have no example.
    while (static_cast<std::int64_t>(out.target_names.size()) < out.classes) {
      out.target_names.push_back(
          fmt::format("class {}", out.target_names.size()));
    }
    return out;
  }

  static void judge_numbers(const Table& table, const Tensor& targets) {
    if (targets.size(0) < 2) return;
    std::vector<std::string> constant;
    for (std::size_t i = 0; i < table.targets.size(); ++i) {
      const Tensor t = targets.select(1, static_cast<std::int64_t>(i));
      if (!t.eq(t[0]).all().item<bool>()) continue;
      constant.push_back(table.columns.called(table.targets[i]));
    }
    require(constant.size() < table.targets.size(),
            "'{}': all {} examples have the same target, so there is nothing "
            "to predict; choose another target",
            table.columns.path, targets.size(0));
    warn_of_constant(table.columns.path, constant, "training examples");
  }

  std::string path_, valid_path_, test_path_;  // the latter may be empty
  TableFormat format_;
  ColumnChoice choice_;
  bool numbers_;  // rather than classes
  std::int64_t told_classes_, most_categories_ = 0;
};

NESTGRAD_REGISTER(DataRegistry, "csv", Csv)

}  // namespace
}  // namespace nestgrad
