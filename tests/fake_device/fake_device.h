#pragma once

#include <cstdint>

/// A device that is no CPU, for machines without any: tensors on
/// "privateuseone" lie in host memory, and LibTorch's CPU code computes with
/// copies of them. Like a GPU it refuses to compute with tensors of two
/// devices. Made available by linking or loading the library.
namespace nestgrad::fake_device {

/// Transfers since the program started.
struct Transfers {
  std::int64_t to_host = 0;    ///< copies to the CPU and numbers that are read
  std::int64_t to_device = 0;  ///< copies of tensors with one number or more
};

Transfers transfers();

/// How often a recording has been run since then.
std::int64_t replays();

}  // namespace nestgrad::fake_device
