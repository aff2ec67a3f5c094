#include "core/tensor/device.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// How many devices of a type there are.
int count_of(at::DeviceType type) {
  if (type == at::kCPU) return 1;
  const auto* const backend =
      c10::impl::device_guard_impl_registry[static_cast<std::size_t>(type)]
          .load();
  return backend == nullptr ? 0 : backend->deviceCount();
}

/// The devices that are here.
std::vector<std::string> names() {
  std::vector<std::string> out;
  for (int t = 0; t < c10::COMPILE_TIME_MAX_DEVICE_TYPES; ++t) {
    const auto type = static_cast<at::DeviceType>(t);
    const int count = count_of(type);
    // Tensors on "meta" have no numbers.
    if (count == 0 || type == at::kMeta) continue;
    const std::string name = c10::DeviceTypeName(type, /*lower_case=*/true);
    out.push_back(name);
    for (int i = 0; count > 1 && i < count; ++i) {
      out.push_back(fmt::format("{}:{}", name, i));
    }
  }
  return out;
}

}  // namespace

at::Device device_named(const std::string& name) {
  const std::string here =
      fmt::format("the devices here are: {}", fmt::join(names(), ", "));
  const at::Device device = [&]() -> at::Device {
    try {
      return at::Device(name);
    } catch (const c10::Error&) {
      throw Error(fmt::format("'{}' is no name of a device; {}", name, here));
    }
  }();
  const auto index = std::max<c10::DeviceIndex>(device.index(), 0);
  require(device.type() != at::kMeta && index < count_of(device.type()),
          "there is no device '{}'; {}", name, here);
  if (device.is_cpu()) return at::kCPU;
  return {device.type(), index};
}

}  // namespace nestgrad
