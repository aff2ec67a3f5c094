#pragma once

#include <string>
#include <string_view>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// A snapshot with a description.
struct SavedSnapshot {
  Snapshot snapshot;
  Json about;  ///< an object
};

/// The file differs from what was written.
class DamagedSnapshot : public Error {
 public:
  using Error::Error;
};

/// The file is intact, but its format is not one that this version reads.
class OtherFormat : public Error {
 public:
  using Error::Error;
};

/// Writes a snapshot to one file: a line of text with the format number, a
/// checksum and the length of the rest, then a safetensors file. Numbers are
/// restored bit by bit; tensors get the memory layout and the device that they
/// had. The file is replaced as a whole; see write_file().
void save_snapshot(const std::string& path, const Snapshot& snapshot,
                   const Json& about);

/// Reads a file of save_snapshot(). Throws Error if it cannot be read,
/// DamagedSnapshot or OtherFormat. The checksum is checked before anything else
/// is used.
SavedSnapshot load_snapshot(const std::string& path);

// The same without a file: the bytes that would be in it.
std::string encode_snapshot(const Snapshot& snapshot, const Json& about);
SavedSnapshot decode_snapshot(std::string_view bytes);

}  // namespace nestgrad
