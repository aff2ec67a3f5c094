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
  std::vector<std::size_t> categories;  ///< of the features
  std::optional<std::size_t> split;
};

/// A column as somebody calls it.
struct ColumnKey {
  enum class Kind {
    kNumber,  ///< its number, counted from 0, or backwards from -1
    kName,    ///< its name in the header
    kEither   ///< its name or, if no column is called so, its number
  };
  std::string text;
  Kind kind = Kind::kEither;
};

/// Which columns of a table are used, and for what.
struct ColumnChoice {
  std::vector<ColumnKey> targets;
  std::vector<ColumnKey> features = {};  ///< none: all others
  std::vector<ColumnKey> dropped = {};   ///< of these others
  std::vector<ColumnKey> categories =
      {};                  ///< features, even if they are numbers
  std::string split = {};  ///< which part a row belongs to; "": there is none

  /// `schema` with the keys "target", "columns", "drop", "categories" and
  /// "split_column".
  static Schema with_keys(Schema schema);

  /// Reads these keys: whole numbers are the numbers of columns, texts are
  /// names or, if no column is called so, numbers. Throws ConfigError if one of
  /// the keys is no list of columns.
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
