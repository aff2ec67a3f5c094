#include "core/tensor/device.h"

#include <ATen/Context.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/exceptions.h"
#include "core/platform/torch_versions.h"
#include "core/platform/warnings.h"

namespace nestgrad {
namespace {

/// How many devices of a type there are.
int count_of(at::DeviceType type) {
  if (type == at::kCPU) return 1;
  // Tensors on "meta" have no numbers. Vulkan is for phones: it has no
  // derivatives, and LibTorch crashes where there is no driver.
  if (type == at::kMeta || type == at::kVulkan) return 0;
  const auto* const backend =
      c10::impl::device_guard_impl_registry[static_cast<std::size_t>(type)]
          .load();
  return backend == nullptr ? 0 : backend->deviceCount();
}

/// Why there can be no tensors on a device; "" if there can be.
std::string obstacle(const at::Device& device) {
  try {
    (void)at::zeros({1}, device);
    return "";
  } catch (const std::exception& error) {
    return one_line(error);
  }
}

/// In a sentence: which devices are here.
std::string those_here() {
  std::vector<std::string> out;
  for (int t = 0; t < c10::COMPILE_TIME_MAX_DEVICE_TYPES; ++t) {
    const auto type = static_cast<at::DeviceType>(t);
    const int count = count_of(type);
    if (count == 0) continue;
    const std::string name = c10::DeviceTypeName(type, /*lower_case=*/true);
    out.push_back(name);
    for (int i = 0; count > 1 && i < count; ++i) {
      out.push_back(fmt::format("{}:{}", name, i));
    }
  }
  return fmt::format("the devices here are: {}", fmt::join(out, ", "));
}

/// Says in our words which operator has no deterministic algorithm.
bool tell_of_chance(const std::string& warning) {
  const std::size_t end = warning.find(" does not have a deterministic");
  if (end == std::string::npos) return false;
  add_warning(fmt::format(
      "on this device LibTorch has no deterministic algorithm for {}: a run "
      "that is repeated or resumed may differ in the last digits",
      warning.substr(0, end)));
  return true;
}

}  // namespace

at::Device device_named(const std::string& name) {
  const at::Device device = [&]() -> at::Device {
    try {
      return at::Device(name);
    } catch (const c10::Error&) {
      throw Error(
          fmt::format("'{}' is no name of a device; {}", name, those_here()));
    }
  }();
  const auto index = std::max<c10::DeviceIndex>(device.index(), 0);
  if (index >= count_of(device.type())) {
    throw Error(fmt::format("there is no device '{}'; {}", name, those_here()));
  }
  if (device.is_cpu()) return at::kCPU;
  const at::Device found(device.type(), index);
  const std::string trouble = obstacle(found);
  if (!trouble.empty()) {
    throw Error(fmt::format("the device '{}' cannot be used: {}; {}", name,
                            trouble, those_here()));
  }
  return found;
}

void prepare_device(const at::Device& device) {
  const bool on = !device.is_cpu();
  // cuBLAS reads this when it begins.
  if (device.is_cuda()) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(on, /*warn_only=*/true);
  context.setDeterministicCuDNN(on);
  context.setBenchmarkCuDNN(false);
  torch_versions::fill_new_memory(context, false, 0);
  thread_local bool answered = false;
  if (on && !answered) torch_versions::answer_warnings(tell_of_chance);
  answered = answered || on;
}

}  // namespace nestgrad
