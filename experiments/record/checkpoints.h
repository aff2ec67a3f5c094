#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/storage/snapshot_file.h"

namespace nestgrad {

/// The checkpoints of a run: numbered files in a folder, of which the newest
/// are kept.
class Checkpoints {
 public:
  /// `keep`: the number of files to keep. The folder is created when needed.
  Checkpoints(std::string folder, std::int64_t keep)
      : folder_(std::move(folder)), keep_(keep) {}

  /// Writes the next checkpoint and then removes the oldest. Throws Error if
  /// writing fails (a full disk); existing checkpoints stay.
  void write(const Snapshot& snapshot, const Json& about);

  /// The newest undamaged checkpoint, if there are any checkpoints. Each
  /// damaged one met is reported to `warn` and renamed to ".damaged". Throws
  /// OtherFormat if it has the format of another version, Error if it cannot be
  /// read or if all are damaged.
  std::optional<SavedSnapshot> newest(
      const std::function<void(const std::string&)>& warn) const;

 private:
  /// By number, newest first.
  std::map<std::int64_t, std::string, std::greater<>> files() const;

  std::string folder_;
  std::int64_t keep_;
};

}  // namespace nestgrad
