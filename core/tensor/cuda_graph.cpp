// Compiled to nothing where LibTorch comes without CUDA; see CMakeLists.txt.
#ifdef NESTGRAD_CUDA_GRAPHS

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include "core/tensor/device_graph.h"

namespace nestgrad {
namespace {

class CudaGraph : public DeviceGraph {
 public:
  void begin() override { graph_.capture_begin(); }
  void end() override { graph_.capture_end(); }
  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

/// The default stream cannot be recorded, and autograd walks back on the
/// streams of the way there. So everything runs on another one.
void leave_default_stream(const at::Device& device) {
  if (c10::cuda::getCurrentCUDAStream(device.index()) !=
      c10::cuda::getDefaultCUDAStream(device.index())) {
    return;
  }
  c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
  c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(
      /*isHighPriority=*/false, device.index()));
}

[[maybe_unused]] const bool registered = register_device_graphs(
    at::kCUDA, {&leave_default_stream, []() -> std::unique_ptr<DeviceGraph> {
                  return std::make_unique<CudaGraph>();
                }});

}  // namespace
}  // namespace nestgrad

#endif
