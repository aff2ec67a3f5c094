#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "experiments/record/file_lock.h"
#include "experiments/record/json_lines.h"
#include "experiments/sweep/sweep_record.h"

namespace nestgrad {

/// Which runs of a sweep have ended, and who works on the others. It is kept in
/// the sweep's folder, for all processes that work there, on any host:
///
///   runs.jsonl       a line for each attempt that has ended; written under a
///                    lock
///   logs/NAME.lock   held by the process that works on the run of this name,
///                    and by the run itself
class Ledger {
 public:
  /// `folder`: of the sweep. `earlier`: lines that there were when these
  /// processes began; attempts of earlier ones do not count. `retries`: how
  /// often a failed run is tried again.
  Ledger(std::string folder, std::size_t earlier, std::int64_t retries);

  /// How many attempts have ended in a sweep's folder.
  static std::size_t lines_in(const std::string& folder);

  /// What has been added since the last call, by any process, in order.
  std::vector<SweepEntry> news();

  /// Records an attempt.
  void add(const SweepEntry& entry);

  /// The result of a run at a rung, as known since the last news(); or null.
  const SweepEntry* entry(const std::string& run, std::size_t rung) const;

  /// Whether the run is finished at this rung or will not be tried again.
  bool is_over(const std::string& run, std::size_t rung) const;

  /// The right to work on what has this name; null if somebody has it.
  std::unique_ptr<FileLock> claim(const std::string& name) const;

  std::string path() const { return folder_ + "/runs.jsonl"; }

 private:
  using Place = std::pair<std::string, std::size_t>;  // a run at a rung

  std::string folder_;
  std::size_t earlier_;
  std::int64_t retries_;
  JsonLines lines_;
  std::size_t known_ = 0, read_ = 0;     // lines and bytes that news() has told
  std::map<Place, SweepEntry> entries_;  // the latest of each
  std::map<Place, std::int64_t> attempts_;
};

}  // namespace nestgrad
