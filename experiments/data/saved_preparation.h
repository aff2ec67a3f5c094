#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "experiments/data/data.h"
#include "experiments/data/tables/encoding.h"

namespace nestgrad {

/// What was done to the data of a network before it was trained, to be saved
/// with the network and done again to new examples.
struct Preparation {
  std::shared_ptr<const TableEncoding> table;  ///< null: no table
  InputScaling scaling;                        ///< of the inputs

  Shape shape;               ///< of one example
  bool tokens = false;       ///< inputs are whole numbers
  bool pixels = false;       ///< inputs are bytes, which become numbers from 0
                             ///< to 1
  std::int64_t classes = 0;  ///< 0 where the targets are numbers
  std::vector<std::string> target_names = {};
  Tensor target_mean = {}, target_deviation = {};  ///< undefined likewise

  static Preparation of(const Splits& splits);

  Json to_json() const;

  /// Throws Error if this is not what to_json() writes.
  static Preparation from_json(const Json& json);

  /// Examples of the source as the network takes them, of this type. Throws
  /// Error, which begins with `place`, if they have another shape, if they are
  /// bytes and those of training were not or the reverse, and if a number is
  /// not finite in the type: at once or, of inputs that stay in a file, when it
  /// is read.
  Dataset prepared(const Dataset& examples, at::ScalarType type,
                   const std::string& place) const;

  /// The rows of a table in a file, [rows, features]. Columns are found by
  /// their names; without a header they must stand in the same places. Targets
  /// and other columns may be missing. Throws Error if the network was not
  /// trained on a table, and as TableReader does.
  Tensor features_in(const std::string& path) const;

  /// Targets that are numbers, or outputs in their place, in the units of the
  /// source.
  Tensor targets_in_source_units(const Tensor& outputs) const;
};

}  // namespace nestgrad
