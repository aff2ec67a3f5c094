#include "experiments/data/tables/table_reader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// So many different texts are plausible in a table of any length.
constexpr std::int64_t kFewTexts = 5;
constexpr std::int64_t kManyTexts = 50;

/// The part that a field of the split column names.
std::int64_t part_named(const CsvFile& file, const std::string& field) {
  const std::vector<std::string> names = {"train", "valid", "test"};
  const auto found = std::find(names.begin(), names.end(), field);
  if (found == names.end()) {
    file.fail_here(
        fmt::format("the split column must be train, valid or test, is '{}'",
                    shown_field(field)));
  }
  return found - names.begin();
}

Tensor stacked(const std::vector<const std::vector<double>*>& columns) {
  std::vector<Tensor> out;
  for (const std::vector<double>* column : columns) {
    out.push_back(at::tensor(*column, at::kDouble));
  }
  return out.empty() ? Tensor() : at::stack(out, 1);
}

}  // namespace

std::string TablePlaces::operator()(std::int64_t row,
                                    std::int64_t column) const {
  const auto file =
      std::upper_bound(first_rows.begin(), first_rows.end(), row) -
      first_rows.begin() - 1;
  return fmt::format("'{}', line {}: {}", files[static_cast<std::size_t>(file)],
                     lines[static_cast<std::size_t>(row)],
                     columns[static_cast<std::size_t>(column)]);
}

TableReader::TableReader(const TableFormat& format, const ColumnChoice& choice,
                         Kind of_targets, std::int64_t most_texts)
    : format_(format),
      choice_(choice),
      of_targets_(of_targets),
      most_texts_(most_texts),
      told_header_(format.header.has_value()) {}

TableReader::TableReader(const TableFormat& format,
                         const std::vector<TableColumn>& features)
    : TableReader(format, {}, Kind::kNumbers, 0) {
  wanted_ = features;
  const ColumnKey::Kind kind = format.header.value_or(true)
                                   ? ColumnKey::Kind::kName
                                   : ColumnKey::Kind::kNumber;
  for (const TableColumn& feature : features) {
    choice_.features.push_back({feature.name, kind});
  }
}

std::string TableReader::called(const Column& column) const {
  const char* const what =
      column.role == Role::kTarget ? "target column" : "column";
  return names_.empty()
             ? fmt::format("{} {}", what, column.name)
             : fmt::format("{} '{}'", what, shown_field(column.name));
}

void TableReader::read(const std::string& path, std::int64_t part) {
  CsvFile file(path, format_.separator);
  const Fields line = file.next();
  if (line.empty()) file.fail("expected a table, but the file is empty");
  if (line.size() < 2 && !choice_.targets.empty()) {
    fail_at_one_column(file, line.front());
  }
  const bool is_first = columns_.empty();
  const Positions at =
      is_first ? positions(file, line) : positions_in_another(file, line);
  places_.files.push_back(path);
  places_.first_rows.push_back(static_cast<std::int64_t>(places_.lines.size()));
  if (!*format_.header) file.rewind();
  read_rows(file, at, line.size(), part);
  if (is_first) settle_kinds(file, at);
}

bool TableReader::first_line_has_names(const CsvFile& file,
                                       const Fields& line) const {
  if (format_.header) return *format_.header;
  if (choice_.names_a_target(line)) return true;
  const auto targets = choice_.target_positions(file, {}, line.size());
  const auto is_number = [&](std::size_t i) {
    return number_in(line[i], format_.decimal).has_value();
  };
  bool numbers = true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool is_target =
        std::find(targets.begin(), targets.end(), i) != targets.end();
    if (!is_target && !is_number(i)) return true;
    numbers = numbers && is_number(i);
  }
  file.fail_here(fmt::format(
      "{}, so this seems to be an example and not the names of the columns; "
      "set \"header\" to false or, if these are names, to true",
      numbers ? "there are only numbers" : "all features are numbers"));
}

TableReader::Positions TableReader::positions(const CsvFile& file,
                                              const Fields& line) {
  format_.header = first_line_has_names(file, line);
  if (*format_.header) names_ = line;
  width_ = line.size();
  const ColumnPositions chosen = choice_.positions(file, names_, width_);
  const auto add_column = [&](std::size_t i, Role role, Kind kind) {
    first_.columns.push_back(i);
    columns_.push_back(
        {names_.empty() ? fmt::format("{}", i) : names_[i], role, kind});
  };
  for (std::size_t i = 0; i < chosen.features.size(); ++i) {
    const std::size_t at = chosen.features[i];
    const bool is_category =
        std::count(chosen.categories.begin(), chosen.categories.end(), at) > 0;
    const Kind kind = is_category || (!wanted_.empty() && wanted_[i].is_text)
                          ? Kind::kTexts
                      : wanted_.empty() ? Kind::kEither
                                        : Kind::kNumbers;
    add_column(at, Role::kFeature, kind);
  }
  for (const std::size_t i : chosen.targets) {
    add_column(i, Role::kTarget, of_targets_);
  }
  first_.split = chosen.split;
  require_own_names(file);
  return first_;
}

void TableReader::require_own_names(const CsvFile& file) const {
  if (names_.empty()) return;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const bool is_target = column.role == Role::kTarget;
    const auto same =
        is_target ? std::count_if(columns_.begin(), columns_.end(),
                                  [&](const Column& other) {
                                    return other.role == Role::kTarget &&
                                           other.name == column.name;
                                  })
                  : std::count(names_.begin(), names_.end(), column.name);
    if (same < 2) continue;
    file.fail(fmt::format(
        "there are {} {}columns '{}'; give each a name of its own", same,
        is_target ? "target " : "", shown_field(column.name)));
  }
}

TableReader::Positions TableReader::positions_in_another(
    const CsvFile& file, const Fields& line) const {
  if (line == names_) return first_;
  if (names_.empty()) {
    if (line.size() == width_) return first_;
    file.fail_here(fmt::format("expected {} columns as in '{}', found {}",
                               width_, places_.files.front(), line.size()));
  }
  Positions out;
  for (const Column& column : columns_) {
    const auto found = std::find(line.begin(), line.end(), column.name);
    if (found == line.end() ||
        std::count(line.begin(), line.end(), column.name) > 1) {
      file.fail(fmt::format("expected one column '{}' as in '{}', found {}",
                            shown_field(column.name), places_.files.front(),
                            std::count(line.begin(), line.end(), column.name)));
    }
    out.columns.push_back(static_cast<std::size_t>(found - line.begin()));
  }
  return out;
}

void TableReader::read_rows(CsvFile& file, const Positions& at,
                            std::size_t width, std::int64_t part) {
  Fields row = file.next();
  if (row.empty()) file.fail("expected examples below the header");
  for (; !row.empty(); row = file.next()) {
    if (row.size() != width) {
      file.fail_here(
          fmt::format("expected {} columns as in the first line, found {}",
                      width, row.size()));
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      add(file, columns_[i], row[at.columns[i]]);
    }
    parts_.push_back(at.split ? part_named(file, row[*at.split]) : part);
    places_.lines.push_back(file.line());
  }
}

void TableReader::add(const CsvFile& file, Column& column,
                      const std::string& field) {
  if (is_missing(field)) {
    if (column.role == Role::kTarget || format_.missing == Missing::kRefuse) {
      fail_at_missing(file, column, field);
    }
    column.cells.push_back(kNone);
    return;
  }
  if (column.kind == Kind::kTexts) {
    add_text(column, field);
    return;
  }
  const std::optional<double> number = number_in(field, format_.decimal);
  if (!number && column.kind == Kind::kNumbers) {
    fail_at_word(file, column, file.line(), field);
  }
  if (number) {
    ++column.numbers;
  } else if (column.words++ == 0) {
    column.line_of_word = file.line();
    column.word = field;
  }
  column.cells.push_back(number ? *number : kNone);
}

void TableReader::add_text(Column& column, const std::string& field) {
  const auto [known, is_new] = column.known.emplace(field, column.texts.size());
  if (is_new) column.texts.push_back(field);
  column.cells.push_back(static_cast<double>(known->second));
}

void TableReader::settle_kinds(CsvFile& file, const Positions& at) {
  std::vector<std::size_t> of_texts;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (column.kind != Kind::kEither) continue;
    if (column.words + column.numbers == 0) {
      file.fail(fmt::format("{} has no value in any row; name it in \"drop\"",
                            called(column)));
    }
    const char other = format_.decimal == '.' ? ',' : '.';
    if (column.words > 0 &&
        (column.numbers >= column.words || number_in(column.word, other))) {
      fail_at_word(file, column, column.line_of_word, column.word);
    }
    column.kind = column.words > 0 ? Kind::kTexts : Kind::kNumbers;
    if (column.words > 0) of_texts.push_back(i);
  }
  if (of_texts.empty()) return;
  // Numbers among the texts were not kept as texts.
  for (const std::size_t i : of_texts) columns_[i].cells.clear();
  file.rewind();
  if (!names_.empty()) file.next();
  for (Fields row = file.next(); !row.empty(); row = file.next()) {
    for (const std::size_t i : of_texts) {
      add(file, columns_[i], row[at.columns[i]]);
    }
  }
  for (const std::size_t i : of_texts) {
    require_few_texts(file, columns_[i]);
    require_header(file, columns_[i]);
  }
}

void TableReader::require_few_texts(const CsvFile& file,
                                    const Column& column) const {
  const auto texts = static_cast<std::int64_t>(column.texts.size());
  const auto rows = static_cast<std::int64_t>(column.cells.size());
  const bool too_many =
      most_texts_ > 0
          ? texts > most_texts_
          : texts > kManyTexts || (texts > kFewTexts && 2 * texts > rows);
  if (!too_many) return;
  file.fail(fmt::format(
      "{} has {} different texts in {} rows ('{}' for instance), too many for "
      "categories; name it in \"drop\", group its values, or, if each of them "
      "is "
      "a category, name it in \"categories\" or set \"most_categories\" to {}",
      called(column), texts, rows, shown_field(column.word), texts));
}

void TableReader::require_header(const CsvFile& file,
                                 const Column& column) const {
  if (told_header_ || column.known.count(column.name) == 0) return;
  file.fail(fmt::format(
      "'{}' in the first line also stands below it, in the same column, so the "
      "first line seems to be an example; set \"header\" to false or, if the "
      "first line has the names of the columns, to true",
      shown_field(column.name)));
}

void TableReader::fail_at_one_column(const CsvFile& file,
                                     const std::string& line) const {
  std::string advice;
  for (const auto& [name, character] :
       {std::pair("comma", ','), std::pair("semicolon", ';'),
        std::pair("tab", '\t')}) {
    if (line.find(character) == std::string::npos) continue;
    advice = fmt::format("; set \"separator\" to \"{}\"?", name);
  }
  file.fail_here(
      fmt::format("expected 2 or more columns, separated by '{}', found 1{}",
                  format_.separator == '\t' ? std::string("\\t")
                                            : std::string{format_.separator},
                  advice));
}

void TableReader::fail_at_missing(const CsvFile& file, const Column& column,
                                  const std::string& field) const {
  if (column.role == Role::kTarget) {
    file.fail_here(fmt::format(
        "{} is missing{}; remove the line",
        column.kind == Kind::kTexts ? "the class" : called(column),
        field.empty() ? "" : fmt::format(", is '{}'", shown_field(field))));
  }
  file.fail_here(fmt::format(
      "{} has no value, is '{}'; a missing value has to be filled in, or its "
      "line removed, or \"missing\" has to be \"mean\" or \"indicator\"",
      called(column), shown_field(field)));
}

void TableReader::fail_at_word(const CsvFile& file, const Column& column,
                               int line, const std::string& word) const {
  std::string advice;
  if (names_.empty() && line == 1) {
    advice =
        "; if this line has the names of the columns, set \"header\" to true";
  } else if (number_in(word, format_.decimal == '.' ? ',' : '.')) {
    advice = fmt::format("; set \"decimal\" to \"{}\"",
                         format_.decimal == '.' ? "comma" : "point");
  } else if (column.role == Role::kFeature && column.kind == Kind::kEither) {
    advice = fmt::format(
        "; {} of {} values of this column are numbers; if they are codes, name "
        "it in \"categories\" or \"drop\"",
        column.numbers, column.numbers + column.words);
  }
  file.fail_at(line, fmt::format("{} must be a finite number, is '{}'{}",
                                 called(column), shown_field(word), advice));
}

Table TableReader::table() const {
  Table out;
  out.columns.path = places_.files.front();
  out.columns.format = format_;
  out.places = places_;
  std::vector<const std::vector<double>*> features, targets;
  for (const Column& column : columns_) {
    const TableColumn described{column.name, column.kind == Kind::kTexts,
                                column.texts};
    if (column.role == Role::kFeature) {
      out.columns.columns.push_back(described);
      out.places.columns.push_back(out.columns.called(described));
      features.push_back(&column.cells);
    } else {
      out.targets.push_back(described);
      targets.push_back(&column.cells);
    }
  }
  out.cells = stacked(features);
  out.target_cells = stacked(targets);
  out.parts = at::tensor(parts_, at::kLong);
  return out;
}

}  // namespace nestgrad
