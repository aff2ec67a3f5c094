#pragma once

#include <ATen/ATen.h>

namespace nestgrad::fake_device {

// Tensors of the device: where they lie, how they are copied, and transfers.

constexpr c10::DeviceType kFake = c10::DeviceType::PrivateUse1;

/// During its life this thread computes on the CPU for the device. Its copies
/// are no transfers.
struct Computing {
  Computing();
  ~Computing();

 private:
  bool before_;
};

bool is_fake(const at::Tensor& t);

/// The memory of `t` as a tensor of the CPU.
at::Tensor on_host(const at::Tensor& t);

/// A copy on the device; undefined if `t` is.
at::Tensor on_device(const at::Tensor& t);

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to,
                     bool non_blocking);

/// Counts that the host waits for the device.
void count_waiting();

}  // namespace nestgrad::fake_device
