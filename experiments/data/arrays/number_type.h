#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Labels in a file of arrays must be below this.
constexpr std::int64_t kMostClasses = 65536;

/// How a file of arrays writes a number.
struct NumberType {
  /// A type of the same size, into which the bytes are read. That of unsigned
  /// numbers of 2, 4 or 8 bytes, which LibTorch lacks, is the signed one.
  at::ScalarType stored = at::kFloat;

  /// The type of the values, which holds all of them: `stored`, bool for
  /// bytes, or a larger type for unsigned numbers.
  at::ScalarType value = at::kFloat;

  bool big_endian = false;
  bool is_unsigned = false;  ///< of 2, 4 or 8 bytes

  /// A type of LibTorch, little-endian.
  static NumberType plain(at::ScalarType type) { return {type, type}; }
};

/// The values of numbers whose bytes were read into `raw`, a contiguous tensor
/// of the type `stored`, in which the bytes may be swapped. Throws Error,
/// without the name of a file, if an unsigned number exceeds int64.
Tensor decoded(const Tensor& raw, const NumberType& type);

}  // namespace nestgrad
