#pragma once

#include <functional>
#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// The validation and test sets that a source has in files of their own: paths,
/// or "" for a part that is taken from the training part.
struct PartFiles {
  std::string valid, test;
};

/// `schema` with the keys "valid_file" and "test_file": for sources that have
/// the examples of a part in one file.
Schema with_part_files(Schema schema);

/// The values of these keys.
PartFiles read_part_files(const Config& config);

/// Reads each file with `read`, the training part from `training`. Throws Error
/// unless examples have the same shape and type in all of them.
Examples read_parts(const std::string& training, const PartFiles& others,
                    const std::function<Dataset(const std::string&)>& read);

}  // namespace nestgrad
