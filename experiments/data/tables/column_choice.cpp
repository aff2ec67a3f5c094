#include "experiments/data/tables/column_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

bool contains(const std::vector<std::size_t>& all, std::size_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// The columns under a key.
std::vector<ColumnKey> columns_under(const Config& config, const char* key) {
  const Json& value = config.value(key);
  std::vector<ColumnKey> out;
  for (const Json& one : value.is_array() ? value : Json::array({value})) {
    if (one.is_string()) {
      out.push_back({one.get<std::string>()});
    } else if (one.is_number_integer()) {
      out.push_back({one.dump(), ColumnKey::Kind::kNumber});
    } else {
      config.fail(key,
                  "must be the name or the number of a column, or a list of "
                  "them");
    }
  }
  if (out.empty()) config.fail(key, "must have one column or more");
  return out;
}

/// What columns are for, in messages.
struct Role {
  const char* called;  // "target column"
  const char* key;     // the key that names them; "": they are known otherwise
};

std::string in_key(const Role& role) {
  return *role.key == '\0' ? "" : fmt::format(" (\"{}\")", role.key);
}

/// The position of the number that a text is; none if it is not one, or if
/// there are fewer columns.
std::optional<std::size_t> numbered(const std::string& text,
                                    std::size_t columns) {
  const std::optional<double> number = number_in(text);
  const auto count = static_cast<double>(columns);
  if (!number || *number != std::floor(*number) || *number < -count ||
      *number >= count) {
    return {};
  }
  return static_cast<std::size_t>(*number < 0 ? *number + count : *number);
}

std::size_t position(const CsvFile& file, const Fields& names,
                     std::size_t columns, const ColumnKey& wanted,
                     const Role& role) {
  using Kind = ColumnKey::Kind;
  if (wanted.kind != Kind::kNumber) {
    const auto found = std::find(names.begin(), names.end(), wanted.text);
    if (std::count(names.begin(), names.end(), wanted.text) > 1) {
      file.fail(fmt::format("there are several columns '{}'; {}",
                            shown_field(wanted.text),
                            wanted.kind == Kind::kName
                                ? "give each a name of its own"
                                : fmt::format("take the number of the {}{}",
                                              role.called, in_key(role))));
    }
    if (found != names.end()) {
      return static_cast<std::size_t>(found - names.begin());
    }
    if (wanted.kind == Kind::kName) {
      file.fail(
          fmt::format("there is no {} '{}' in the first line, which has "
                      "the names of the columns",
                      role.called, shown_field(wanted.text)));
    }
  }
  const auto at = numbered(wanted.text, columns);
  if (!at) {
    const auto count = static_cast<std::int64_t>(columns);
    file.fail(fmt::format(
        "there is no {} '{}'{}; expected a name from the header or a whole "
        "number from {} to {}",
        role.called, shown_field(wanted.text), in_key(role), -count,
        count - 1));
  }
  return *at;
}

std::vector<std::size_t> all_positions(const CsvFile& file, const Fields& names,
                                       std::size_t columns,
                                       const std::vector<ColumnKey>& wanted,
                                       const Role& role) {
  std::vector<std::size_t> out;
  for (const ColumnKey& one : wanted) {
    const std::size_t at = position(file, names, columns, one, role);
    if (contains(out, at)) {
      file.fail(fmt::format("the {} '{}' is given twice{}", role.called,
                            shown_field(one.text), in_key(role)));
    }
    out.push_back(at);
  }
  return out;
}

std::string called(const Fields& names, std::size_t i) {
  return names.empty() ? fmt::format("column {}", i)
                       : fmt::format("column '{}'", shown_field(names[i]));
}

}  // namespace

Schema ColumnChoice::with_keys(Schema schema) {
  return schema
      .json("target", -1,
            "Column of the target: its name, or its number, counted from 0, or "
            "backwards from -1; a list if several numbers are to be predicted. "
            "A text is a number only if no column is called so.")
      .json("columns", kAbsent,
            "List of the columns that are features, by name or number. Left "
            "out: all columns but the targets.")
      .json("drop", kAbsent,
            "List of columns that are not used, by name or number.")
      .json("categories", kAbsent,
            "List of columns of features whose values are categories even if "
            "they are numbers, or some of them: codes. They may have any "
            "number of different values.")
      .text("split_column", kAbsent,
            "Column that says which part a row belongs to: train, valid or "
            "test. A part without rows is drawn from those of train.");
}

ColumnChoice ColumnChoice::read(const Config& config) {
  ColumnChoice out;
  out.targets = columns_under(config, "target");
  if (config.has("columns")) out.features = columns_under(config, "columns");
  if (config.has("drop")) out.dropped = columns_under(config, "drop");
  if (config.has("categories")) {
    out.categories = columns_under(config, "categories");
  }
  if (config.has("split_column")) out.split = config.text("split_column");
  if (!out.features.empty() && !out.dropped.empty()) {
    config.fail("drop", "must be left out where \"columns\" says which to use");
  }
  return out;
}

bool ColumnChoice::names_a_target(const Fields& line) const {
  return std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
    return !number_in(target.text) &&
           std::count(line.begin(), line.end(), target.text) > 0;
  });
}

std::vector<std::size_t> ColumnChoice::target_positions(
    const CsvFile& file, const Fields& names, std::size_t columns) const {
  return all_positions(file, names, columns, targets,
                       {"target column", "target"});
}

ColumnPositions ColumnChoice::positions(const CsvFile& file,
                                        const Fields& names,
                                        std::size_t columns) const {
  ColumnPositions out;
  out.targets = target_positions(file, names, columns);
  if (!split.empty()) {
    out.split = position(file, names, columns, {split},
                         {"split column", "split_column"});
  }
  const std::vector<std::size_t> unused =
      all_positions(file, names, columns, dropped, {"column", "drop"});
  const bool are_known =
      !features.empty() && features.front().kind == ColumnKey::Kind::kName;
  out.features = all_positions(file, names, columns, features,
                               {"column", are_known ? "" : "columns"});
  if (features.empty()) {
    for (std::size_t i = 0; i < columns; ++i) {
      if (contains(out.targets, i) || contains(unused, i) || out.split == i) {
        continue;
      }
      out.features.push_back(i);
    }
  }
  for (const std::size_t i : out.targets) {
    if (contains(out.features, i) || contains(unused, i) || out.split == i) {
      file.fail(
          fmt::format("{} is the target, so it cannot be in \"columns\", "
                      "\"drop\" or \"split_column\"",
                      called(names, i)));
    }
  }
  if (out.split && contains(out.features, *out.split)) {
    file.fail("the split column cannot be a feature");
  }
  if (out.features.empty()) file.fail("no column is left for the features");
  out.categories =
      all_positions(file, names, columns, categories, {"column", "categories"});
  for (const std::size_t i : out.categories) {
    if (contains(out.features, i)) continue;
    file.fail(fmt::format("{} is no feature, so it cannot be in \"categories\"",
                          called(names, i)));
  }
  return out;
}

}  // namespace nestgrad
