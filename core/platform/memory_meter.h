#pragma once

#include <cstdint>
#include <memory>

namespace nestgrad {

/// Counts the bytes of tensors that this thread allocates and releases while
/// the meter lives, on every device: the memory of the work in between, above
/// what was there at the start, and the same on every machine.
///
/// Meters may be nested; each counts for itself. LibTorch warns on standard
/// error when a tensor is released under a meter that was allocated before any;
/// a program that measures has a meter from its first line on.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  /// Whether any meter lives on this thread.
  static bool running();

  /// Bytes of tensors more than at the start.
  std::int64_t current() const;

  /// The largest value of current() since the start or the last restart().
  std::int64_t peak() const;

  /// Forgets the peak: from now on it is that of what follows.
  void restart();

 private:
  class Report;
  class Guard;
  std::shared_ptr<Report> report_;
  std::unique_ptr<Guard> guard_;
};

inline double mebibytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace nestgrad
