#include "core/tensor/device_graph.h"

#include <fmt/ranges.h>

#include <map>
#include <vector>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

std::map<at::DeviceType, DeviceGraphs>& graphs_by_type() {
  static std::map<at::DeviceType, DeviceGraphs> all;
  return all;
}

}  // namespace

bool register_device_graphs(at::DeviceType type, const DeviceGraphs& graphs) {
  return graphs_by_type().emplace(type, graphs).second;
}

const DeviceGraphs& device_graphs_of(const at::Device& device) {
  const auto found = graphs_by_type().find(device.type());
  if (found != graphs_by_type().end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [type, graphs] : graphs_by_type()) {
    names.push_back(c10::DeviceTypeName(type, /*lower_case=*/true));
  }
  throw Error(fmt::format(
      "the device '{}' cannot record what it computes; {}", device.str(),
      names.empty()
          ? std::string(
                "no device of this build can (CUDA can if the headers of its "
                "runtime were there when nestgrad was built)")
          : fmt::format("those that can: {}", fmt::join(names, ", "))));
}

}  // namespace nestgrad
