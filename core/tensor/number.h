#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A number that may still lie on a device. To read it there is to wait for all
/// that has been begun on the device, so it is read when it is first used as a
/// double, and all others of this thread that are waiting are read with it, in
/// one transfer.
class Number {
 public:
  Number(double value = 0) : value_(value) {}  // NOLINT: a number is a number

  /// Of a tensor with one number, off the tape. One on the CPU is read at once.
  explicit Number(const Tensor& scalar);

  operator double() const;  // NOLINT: as above

  /// The tensor, while it has not been read; undefined else.
  Tensor waiting() const { return there_ ? there_->scalar : Tensor(); }

  /// A set of floating-point tensors, copied to the CPU together with all
  /// numbers that are waiting.
  static ParameterSet read_with(const ParameterSet& set);

 private:
  struct There {
    Tensor scalar;  // undefined once it has been read
    double value = 0;
  };

  static std::vector<std::weak_ptr<There>>& all_waiting();

  double value_ = 0;
  std::shared_ptr<There> there_;  // null if it never was on a device
};

}  // namespace nestgrad
