#pragma once

#include <optional>
#include <string>
#include <utility>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "experiments/data/arrays/stored_rows.h"
#include "experiments/data/data.h"

namespace nestgrad {

// What sources have in common whose files hold an array of inputs and one of
// targets: npy, npz, safetensors, idx.

/// The keys that say what the targets are.
struct TargetKeys {
  std::string name;               ///< of the key for `are_numbers`
  bool are_numbers = false;       ///< rather than classes
  std::int64_t told_classes = 0;  ///< the key "classes"; 0: it is left out

  /// `schema` with these keys. `name` is "targets", or another word if that
  /// key is something else.
  static Schema with(Schema schema, const char* name);
  static TargetKeys read(const Config& config, const char* name);
};

/// One part of the examples as it stands in files.
struct ArrayPart {
  Dataset inputs;     ///< without targets; undefined if there is no such part
  std::string place;  ///< of the inputs, for messages: "'x.npy'"
  Tensor targets;     ///< in any type
  std::string targets_place;
};

struct ArrayParts {
  ArrayPart training, valid, test;
};

/// Inputs in memory, of any type that files have. Bytes stay bytes (pixels),
/// other whole numbers become double precision, float16, bfloat16 and truth
/// values float32. Throws Error, naming `place`, if there are less than two
/// axes or if a number is not finite. Warns of bytes that are too small for
/// pixels.
Dataset array_inputs(const Tensor& array, const std::string& place);

/// The same for inputs that stay in their file. Whether numbers are finite is
/// left to load_splits().
Dataset array_inputs(const StoredRows& rows, const std::string& place);

/// The parts together, with targets of the kind that the keys say. Throws
/// Error, naming the file, if targets are of another kind or number, or if the
/// parts have different shapes.
Examples examples_of(const ArrayParts& parts, const TargetKeys& keys);

/// The paths under two keys that only come together; empty if both are left
/// out. Throws ConfigError if one of them is.
std::optional<std::pair<std::string, std::string>> paired_paths(
    const Config& config, const char* first, const char* second);

}  // namespace nestgrad
