#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/data/tables/table.h"

namespace nestgrad {

/// How the columns of a table become features:
///
/// - A column of numbers is one feature.
/// - A column of texts is one feature for each category, "column=text", which
///   is 1 where this text stands and 0 elsewhere. The categories are the texts
///   of the training part, numbers first.
/// - A missing value becomes the mean of the training part in each feature of
///   its column. With Missing::kIndicator, a column that lacks values in the
///   training part has one more feature, "column is missing", which is 1 where
///   the value is missing and 0 elsewhere.
///
/// A value, learned from the training part alone, that can be saved and applied
/// to other tables.
class TableEncoding {
 public:
  struct Column {
    std::string name;
    bool is_text = false;
    std::vector<std::string> categories = {};  ///< of a column of texts
    std::vector<double> means = {};  ///< of its features; none: no value may be
                                     ///< missing
    bool indicator = false;

    std::int64_t features() const;
  };

  /// Learns from cells of the training part, [examples, columns]. Throws Error
  /// if a column has no value in them.
  static TableEncoding learned(const TableColumns& table, const Tensor& cells);

  /// The features of these cells, [examples, features], float64. `table` is the
  /// one that was learned from or another with the same columns. Warns of texts
  /// that are no category; `example` is what a row is called: "validation
  /// example". Throws Error if a value is missing that must not be.
  Tensor features(const TableColumns& table, const Tensor& cells,
                  const std::string& example) const;

  std::vector<std::string> feature_names() const;

  /// The column that a feature comes from.
  std::int64_t column_of(std::int64_t feature) const;

  const TableFormat& format() const { return format_; }

  /// As a reader of tables wants them.
  std::vector<TableColumn> columns() const;

  Json to_json() const;

  /// Throws Error if this is not what to_json() writes.
  static TableEncoding from_json(const Json& json);

 private:
  TableFormat format_;
  std::vector<Column> columns_;
};

}  // namespace nestgrad
