#pragma once

#ifdef NESTGRAD_C10D

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/distributed/c10d.h"
#include "core/platform/stopwatch.h"

namespace nestgrad {

/// A thread that lets the other ranks know that this process lives, and watches
/// the next rank. What one rank finds, all read in the store.
class Watch {
 public:
  static constexpr double kBeat = 1;  ///< seconds

  /// The store has a connection of its own.
  Watch(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
        double silent_seconds);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// What is wrong, in a sentence; "" while all is well. Waits for nothing.
  std::string verdict() const;

  /// Tells all ranks what is wrong. Waits for the store.
  void tell(const std::string& what);

  /// Tells that this rank has come to a collective.
  void reach(std::int64_t collective);

  /// Those that have not come to it: "rank 1, 3".
  std::string missing_at(std::int64_t collective);

  /// From now on no rank has to give a sign of life.
  void leave();

 private:
  void run();
  void beat();
  void find(const std::string& what);
  void tell_locked(const std::string& what);

  const int rank_, size_;
  const double silent_seconds_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::mutex store_mutex_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stop_ = false, leaving_ = false;
  std::string verdict_;
  std::int64_t reached_ = 0;
  Stopwatch answered_;  // since the store has answered the last time
  // Since that was first seen to be long ago. All ranks may have been stopped
  // for a while, and then the next answer comes soon.
  mutable std::optional<Stopwatch> late_;

  // Of the thread: the beats of the next rank, and for how many of its own they
  // are so many. Beats and not seconds: ranks may all be stopped for a while.
  std::int64_t beats_ = -1, unchanged_ = 0;
  std::thread thread_;
};

}  // namespace nestgrad

#endif
