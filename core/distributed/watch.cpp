#include "core/distributed/watch.h"

#ifdef NESTGRAD_C10D

#include <fmt/format.h>

#include <chrono>

namespace nestgrad {
namespace {

constexpr const char* kFailed = "failed";

std::string beats_of(int rank) { return fmt::format("beats/{}", rank); }
std::string place_of(int rank) { return fmt::format("collective/{}", rank); }

}  // namespace

Watch::Watch(c10::intrusive_ptr<c10d::Store> store, int rank, int size,
             double silent_seconds)
    : rank_(rank),
      size_(size),
      silent_seconds_(silent_seconds),
      store_(std::move(store)) {
  store_->add(beats_of(rank_), 1);
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::string Watch::verdict() const {
  const std::lock_guard lock(mutex_);
  if (!verdict_.empty() || leaving_) return verdict_;
  if (answered_.seconds() < silent_seconds_ + kBeat) {
    late_.reset();
  } else if (!late_) {
    late_.emplace();
  } else if (late_->seconds() > 2 * kBeat) {
    return fmt::format(
        "the store of the ranks has not answered for {:g} seconds: the process "
        "that keeps it, rank 0 or the launcher, hangs or cannot be reached",
        silent_seconds_);
  }
  return "";
}

void Watch::tell(const std::string& what) {
  const std::lock_guard lock(store_mutex_);
  tell_locked(what);
}

void Watch::tell_locked(const std::string& what) {
  try {
    store_->set(kFailed, as_bytes(what));
  } catch (const std::exception&) {
    // Who keeps the store has ended, which the others notice, too.
  }
}

void Watch::reach(std::int64_t collective) {
  const std::lock_guard lock(mutex_);
  reached_ = collective;
}

std::string Watch::missing_at(std::int64_t collective) {
  std::string out;
  const std::lock_guard lock(store_mutex_);
  for (int r = 0; r < size_; ++r) {
    if (r == rank_ || !store_->check({place_of(r)})) continue;
    const std::string reached = as_text(store_->get(place_of(r)));
    if (std::stoll(reached) >= collective) continue;
    out += (out.empty() ? "rank " : ", ") + std::to_string(r);
  }
  return out;
}

void Watch::leave() {
  const std::lock_guard lock(mutex_);
  leaving_ = true;
}

void Watch::find(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (verdict_.empty()) verdict_ = what;
}

void Watch::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::duration<double>(kBeat),
                     [this] { return stop_; });
      if (stop_) return;
      if (leaving_ || !verdict_.empty()) continue;
    }
    try {
      beat();
      const std::lock_guard lock(mutex_);
      answered_ = Stopwatch();
    } catch (const std::exception&) {
      find(
          "the store of the ranks cannot be reached any more: the process "
          "that keeps it, rank 0 or the launcher, has ended");
    }
  }
}

void Watch::beat() {
  const std::lock_guard lock(store_mutex_);
  store_->add(beats_of(rank_), 1);
  std::int64_t reached = 0;
  {
    const std::lock_guard own(mutex_);
    reached = reached_;
  }
  store_->set(place_of(rank_), as_bytes(std::to_string(reached)));
  if (store_->check({kFailed})) return find(as_text(store_->get(kFailed)));

  const int next = (rank_ + 1) % size_;
  const std::int64_t beats = store_->add(beats_of(next), 0);
  if (beats != beats_) {
    beats_ = beats;
    unchanged_ = 0;
  } else if (static_cast<double>(++unchanged_) * kBeat >= silent_seconds_) {
    const std::string what = fmt::format(
        "rank {} has given no sign of life for {:g} seconds: its process has "
        "ended, hangs or cannot be reached",
        next, silent_seconds_);
    tell_locked(what);
    find(what);
  }
}

}  // namespace nestgrad

#endif
