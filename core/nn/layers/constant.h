#pragma once

#include <ATen/ATen.h>

#include <mutex>

#include "core/tensor/parameter_set.h"
#include "core/tensor/replay.h"

namespace nestgrad {

/// A tensor of a layer that is not one of its weights: a table, or weights that
/// training does not change. Copies for other types and devices are made once,
/// and live as long as a recording that reads them.
class Constant {
 public:
  explicit Constant(Tensor value) : value_(std::move(value)) {}

  /// The tensor with the type and the device of `x`.
  Tensor like(const Tensor& x) const {
    return host_constant([&] { return converted(x); });
  }

 private:
  Tensor converted(const Tensor& x) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!converted_.defined() || converted_.device() != x.device() ||
        converted_.scalar_type() != x.scalar_type()) {
      converted_ = value_.to(x.options());
    }
    return converted_;
  }

  Tensor value_;
  mutable Tensor converted_;
  mutable std::mutex mutex_;
};

}  // namespace nestgrad
