#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "experiments/data/tables/csv_file.h"

namespace nestgrad {

/// Positions of columns in a file, from 0 on.
struct ColumnPositions {
  std::vector<std::size_t> features, targets;
  std::optional<std::size_t> split;
};

/// Which columns of a table are used, and for what. A column is given by its
/// name, or by its number, counted from 0, or backwards from -1.
struct ColumnChoice {
  std::vector<std::string> targets;
  std::vector<std::string> features = {};  ///< none: all others
  std::vector<std::string> dropped = {};   ///< of these others
  std::string split = {};  ///< which part a row belongs to; "": there is none

  /// `schema` with the keys "target", "columns", "drop" and "split_column".
  static Schema with_keys(Schema schema);

  /// Reads these keys. Throws ConfigError if one of them is no list of columns.
  static ColumnChoice read(const Config& config);

  /// Whether a line has names: a target is called like one of its fields.
  bool names_a_target(const Fields& line) const;

  /// The columns in a file with this header (none: numbers count) and so many
  /// columns. Throws Error if there is no such column, or if one has two roles.
  ColumnPositions positions(const CsvFile& file, const Fields& names,
                            std::size_t columns) const;

  /// Those of the targets alone.
  std::vector<std::size_t> target_positions(const CsvFile& file,
                                            const Fields& names,
                                            std::size_t columns) const;
};

}  // namespace nestgrad
