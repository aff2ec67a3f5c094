#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// What is done about a missing value: it is a mistake; it becomes the mean of
/// the training part; the same, and one more feature says where it was missing.
enum class Missing { kRefuse, kMean, kIndicator };

/// How the text of a table is read.
struct TableFormat {
  char separator = ',';
  char decimal = '.';
  std::optional<bool> header;  ///< whether the first line has names; none: it
                               ///< has, unless it seems to be an example
  Missing missing = Missing::kRefuse;

  /// `schema` with the keys "header", "separator", "decimal" and "missing".
  static Schema with_keys(Schema schema);

  /// Reads these keys. Throws ConfigError if separator and decimal are equal.
  static TableFormat read(const Config& config);

  /// The keys and their values, as read() takes them.
  Json to_json() const;
  static TableFormat from_json(const Json& json);
};

/// A column of a table: of numbers, or of texts.
struct TableColumn {
  std::string name;  ///< from the header; without one, its number from 0 on
  bool is_text = false;
  std::vector<std::string> texts =
      {};  ///< the different texts that stand in it
};

/// The columns of a table that features are made from. Its cells are a tensor
/// [rows, columns], float64: the number itself, or the position of a text in
/// `texts`; NaN where the value is missing.
struct TableColumns {
  std::string path;  ///< of the file, for messages

  /// Those of the validation and test sets; "": the same.
  std::string valid_path = {}, test_path = {};

  TableFormat format = {};
  std::vector<TableColumn> columns = {};

  /// A column as messages call it: "column 'age'", or "column 3" without a
  /// header.
  std::string called(const TableColumn& column) const;
  std::string called(std::size_t column) const {
    return called(columns[column]);
  }
};

}  // namespace nestgrad
