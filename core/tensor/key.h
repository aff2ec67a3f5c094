#pragma once

#include <cstdint>
#include <string_view>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A place in a tree of independent random streams.
///
/// A key is a plain value. Drawing does not change it: the same key always
/// gives the same numbers. fold() makes other keys, usually from a name and
/// then a counter: key.fold("noise").fold(step).
///
/// The generator is Philox4x32-10 (Salmon et al. 2011, "Parallel random
/// numbers: as easy as 1, 2, 3") with the 64 bits of the key. Numbers are drawn
/// on the device that they are for: uniform ones are the same bits everywhere,
/// normal ones differ by the rounding of the device's logarithms, roots, sines
/// and cosines.
class Key {
 public:
  /// Numbers per independent Philox subsequence.
  static constexpr std::int64_t kChunk = 1024;

  explicit Key(std::uint64_t seed = 0) : bits_(seed) {}

  Key fold(std::uint64_t n) const;
  Key fold(std::string_view name) const;

  // A key has an endless row of numbers of each kind. A tensor gets those from
  // number `first` on, in order.

  /// Standard normal numbers shaped like `like`.
  Tensor normal(const Tensor& like, std::int64_t first = 0) const;
  ParameterSet normal(const ParameterSet& like) const;

  /// Numbers uniform in [0, 1), multiples of 2^-24, shaped like `like`.
  Tensor uniform(const Tensor& like, std::int64_t first = 0) const;

  /// +1 or -1, each with probability 1/2, shaped like `like`.
  Tensor signs(const Tensor& like, std::int64_t first = 0) const;
  ParameterSet signs(const ParameterSet& like) const;

  /// A random order of 0 .. n-1, as an int64 tensor on the CPU.
  Tensor permutation(std::int64_t n) const;

  std::uint64_t bits() const { return bits_; }

 private:
  std::uint64_t bits_;
};

}  // namespace nestgrad
