#pragma once

#include <cstdint>
#include <memory>

namespace nestgrad {

/// Counts the bytes of tensors that this thread allocates and releases during
/// the life of the meter, on every device. The count starts at 0 and is the
/// same on every machine.
///
/// Meters may be nested; each counts for itself. LibTorch warns on standard
/// error when a tensor that was allocated without any meter is released under
/// one. A program that measures therefore creates a meter in its first line.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  /// Whether any meter lives on this thread.
  static bool running();

  /// Bytes allocated minus bytes released, since the start.
  std::int64_t current() const;

  /// The largest value of current() since the start or the last restart().
  std::int64_t peak() const;

  /// Resets the peak to current().
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
