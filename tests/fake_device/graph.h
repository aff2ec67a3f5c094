#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace nestgrad::fake_device {

// What the device does is recorded as CUDA records it: operators with the
// addresses of their tensors and with the numbers that the host gave them.

/// Whether what the device does is being recorded, by any thread.
bool recording();

/// Throws, since `what` cannot be recorded, if there is a recording.
void refuse_if_recording(const std::string& what);

/// Remembers that memory was allocated, if there is a recording.
void add_memory(const void* data);

/// Adds to the recording something that reads `from` and writes `to`.
void add_to_recording(std::function<void()> work,
                      const std::vector<at::Tensor>& from,
                      const std::vector<at::Tensor>& to);

/// The same tensor, without its share in a tape: a handle of the recording.
at::Tensor handle(const at::Tensor& t);

}  // namespace nestgrad::fake_device
