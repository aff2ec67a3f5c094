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

/// The names under a key; a whole number stands for a column as well.
std::vector<std::string> names_in(const Config& config, const char* key) {
  const Json& value = config.value(key);
  std::vector<std::string> out;
  for (const Json& one : value.is_array() ? value : Json::array({value})) {
    if (one.is_string()) {
      out.push_back(one.get<std::string>());
    } else if (one.is_number_integer()) {
      out.push_back(std::to_string(one.get<std::int64_t>()));
    } else {
      config.fail(key,
                  "must be the name or the number of a column, or a list of "
                  "them");
    }
  }
  if (out.empty()) config.fail(key, "must have one column or more");
  return out;
}

/// `what`: "target column", for messages.
std::size_t position(const CsvFile& file, const Fields& names,
                     std::size_t columns, const std::string& wanted,
                     const char* what) {
  const std::optional<double> number = number_in(wanted);
  // "-1" is the last column even if one is called so.
  if (!number || *number >= 0) {
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (found != names.end()) {
      if (std::count(names.begin(), names.end(), wanted) > 1) {
        file.fail(
            fmt::format("there are several columns '{}'; take the number "
                        "of the {}",
                        wanted, what));
      }
      return static_cast<std::size_t>(found - names.begin());
    }
  }
  const auto count = static_cast<double>(columns);
  if (!number || *number != std::floor(*number) || *number < -count ||
      *number >= count) {
    file.fail(
        fmt::format("there is no {} '{}'; expected a name from the header or a "
                    "whole number from {} to {}",
                    what, shown_field(wanted), -count, count - 1));
  }
  return static_cast<std::size_t>(*number < 0 ? *number + count : *number);
}

std::vector<std::size_t> all_positions(const CsvFile& file, const Fields& names,
                                       std::size_t columns,
                                       const std::vector<std::string>& wanted,
                                       const char* what) {
  std::vector<std::size_t> out;
  for (const std::string& one : wanted) {
    const std::size_t at = position(file, names, columns, one, what);
    if (contains(out, at)) {
      file.fail(
          fmt::format("the {} '{}' is given twice", what, shown_field(one)));
    }
    out.push_back(at);
  }
  return out;
}

}  // namespace

Schema ColumnChoice::with_keys(Schema schema) {
  return schema
      .json("target", "-1",
            "Column of the target: its name, or its number, counted from 0, or "
            "backwards from -1; a list if several numbers are to be "
            "predicted.")
      .json("columns", kAbsent,
            "List of the columns that are features, by name or number. Left "
            "out: all columns but the targets.")
      .json("drop", kAbsent,
            "List of columns that are not used, by name or number.")
      .text("split_column", kAbsent,
            "Column that says which part a row belongs to: train, valid or "
            "test. A part without rows is drawn from those of train.");
}

ColumnChoice ColumnChoice::read(const Config& config) {
  ColumnChoice out;
  out.targets = names_in(config, "target");
  if (config.has("columns")) out.features = names_in(config, "columns");
  if (config.has("drop")) out.dropped = names_in(config, "drop");
  if (config.has("split_column")) out.split = config.text("split_column");
  if (!out.features.empty() && !out.dropped.empty()) {
    config.fail("drop", "must be left out where \"columns\" says which to use");
  }
  return out;
}

bool ColumnChoice::names_a_target(const Fields& line) const {
  return std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
    return !number_in(target) &&
           std::count(line.begin(), line.end(), target) > 0;
  });
}

std::vector<std::size_t> ColumnChoice::target_positions(
    const CsvFile& file, const Fields& names, std::size_t columns) const {
  return all_positions(file, names, columns, targets, "target column");
}

ColumnPositions ColumnChoice::positions(const CsvFile& file,
                                        const Fields& names,
                                        std::size_t columns) const {
  ColumnPositions out;
  out.targets = target_positions(file, names, columns);
  if (!split.empty()) {
    out.split = position(file, names, columns, split, "split column");
  }
  const std::vector<std::size_t> unused =
      all_positions(file, names, columns, dropped, "column");
  out.features = all_positions(file, names, columns, features, "column");
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
          fmt::format("column {} is the target, so it cannot be in "
                      "\"columns\", \"drop\" or \"split_column\"",
                      names.empty() ? fmt::format("{}", i)
                                    : "'" + shown_field(names[i]) + "'"));
    }
  }
  if (out.split && contains(out.features, *out.split)) {
    file.fail("the split column cannot be a feature");
  }
  if (out.features.empty()) file.fail("no column is left for the features");
  return out;
}

}  // namespace nestgrad
