#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/storage/snapshot_file.h"

namespace nestgrad {

/// The checkpoints of a run: numbered files in a folder, of which the last few
/// are kept.
class Checkpoints {
 public:
  /// `keep`: how many. The folder is made when it is needed.
  Checkpoints(std::string folder, std::int64_t keep)
      : folder_(std::move(folder)), keep_(keep) {}

  /// Writes the next one and then removes the oldest. Throws Error if that is
  /// refused (a full disk); those that are there stay.
  void write(const Snapshot& snapshot, const Json& about);

  /// The newest that is whole, if there are any. A damaged one is given another
  /// name, ".damaged", after `warn` was told. Throws OtherFormat if it is one
  /// of another version, Error if it cannot be read or none is whole.
  std::optional<SavedSnapshot> newest(
      const std::function<void(const std::string&)>& warn) const;

 private:
  /// By number, the newest first.
  std::map<std::int64_t, std::string, std::greater<>> files() const;

  std::string folder_;
  std::int64_t keep_;
};

}  // namespace nestgrad
