#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace nestgrad {

/// Operators of a device that are recorded and then run again by one launch: a
/// CUDA graph, or what another device has of this kind. They run again on the
/// memory and with the numbers of the host that they were recorded with.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  /// From here to end() the operators of this thread, and of the threads of
  /// autograd that work for it, are recorded and not run. Whatever waits for
  /// the device or copies from or to the host throws.
  virtual void begin() = 0;

  /// To be called after an error, too.
  virtual void end() = 0;

  /// Runs what was recorded.
  virtual void replay() = 0;
};

/// How the devices of a type make graphs.
struct DeviceGraphs {
  /// Called once, before the first computation on the device.
  void (*prepare)(const at::Device& device);
  std::unique_ptr<DeviceGraph> (*make)();
};

/// For a backend to call, from a static object.
bool register_device_graphs(at::DeviceType type, const DeviceGraphs& graphs);

/// Those of a device. Throws Error, with the names of the devices that have
/// any, if there are none.
const DeviceGraphs& device_graphs_of(const at::Device& device);

}  // namespace nestgrad
