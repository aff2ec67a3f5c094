#pragma once

#include <cstdint>
#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/dataset.h"

namespace nestgrad {

/// `schema` with the key "classes": for sources whose labels stand in a file.
Schema with_classes_key(Schema schema);

/// The value of that key; 0 if it is left out.
std::int64_t read_classes(const Config& config);

/// Labels of a file, and what their numbers are called there.
struct Labels {
  std::string where;         ///< "'data.csv', column 'price'"
  Tensor targets;            ///< int64 classes, [examples]
  std::int64_t classes = 0;  ///< one more than the largest class
  std::int64_t told = 0;     ///< the key "classes"; 0: it is left out

  // Of labels that are all numbers:
  std::int64_t fractions = 0;    ///< how many have a fraction
  std::string numbers = {};      ///< "from 3 to 990" if they do not just count
  std::string numbers_key = {};  ///< the key that takes them for numbers if it
                                 ///< is "numbers"; "": there is none

  /// The values of a column, which classes were made of: no class is missing.
  bool distinct_values = false;
};

/// How many classes the labels stand for: those that the user has told, or one
/// more than the largest. Throws Error, with what to do, if the user has told
/// too few or if labels are certainly no classes: all are the same, nearly
/// every example has a label of its own, most numbers are without an example.
/// Warns if some are, and if they look like a quantity. Who tells the number of
/// classes says that the labels are classes, and they are not doubted.
std::int64_t number_of_classes(const Labels& labels);

}  // namespace nestgrad
