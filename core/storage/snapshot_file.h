#pragma once

#include <string>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// A snapshot and what is to be known about it.
struct SavedSnapshot {
  Snapshot snapshot;
  Json about;  ///< an object
};

/// A file that is not what was written.
class DamagedSnapshot : public Error {
 public:
  using Error::Error;
};

/// A file that is whole, but in a form that this version does not read.
class OtherFormat : public Error {
 public:
  using Error::Error;
};

/// Writes a snapshot as one file: a line of text with the number of the format,
/// a checksum and the length of the rest, which is a safetensors file. Numbers
/// come back bit by bit, tensors in the memory layout and on the device they
/// had. The file appears whole or not at all; see write_file().
void save_snapshot(const std::string& path, const Snapshot& snapshot,
                   const Json& about);

/// Reads such a file. Throws Error if it cannot be read, DamagedSnapshot or
/// OtherFormat: nothing is taken from it before its checksum is found right.
SavedSnapshot load_snapshot(const std::string& path);

}  // namespace nestgrad
