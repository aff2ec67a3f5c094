#pragma once

// LibTorch's c10d with Gloo. Its headers need those of Gloo (libgloo-dev);
// where they are missing, NESTGRAD_C10D is not defined. See CMakeLists.txt.

#ifdef NESTGRAD_C10D

#include <torch/version.h>

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

namespace nestgrad {

// What computes collectives. From 2.0 on a ProcessGroup only hands them on.
#if TORCH_VERSION_MAJOR >= 2
using Collectives = c10d::Backend;
#else
using Collectives = c10d::ProcessGroup;
#endif

// From 2.4 on a store uses libuv unless it is told not to; Debian's LibTorch
// has none. Older versions have no such option.
template <class Options>
auto leave_libuv(Options& options, int) -> decltype(options.useLibUV, void()) {
  options.useLibUV = false;
}
template <class Options>
void leave_libuv(Options&, char) {}

inline std::vector<std::uint8_t> as_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

inline std::string as_text(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace nestgrad

#endif
