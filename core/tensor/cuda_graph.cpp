// Compiled to nothing where LibTorch comes without CUDA; see CMakeLists.txt.
#ifdef NESTGRAD_CUDA_GRAPHS

#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "core/tensor/device_graph.h"

namespace nestgrad {
namespace {

/// The memory in which all graphs work. They may share it because the results
/// of each are copied before another is launched. LibTorch keeps it as long as
/// a graph is there, so one always is.
class SharedPool {
 public:
  using Id = decltype(at::cuda::graph_pool_handle());

  static Id id() {
    // Never destroyed: CUDA may be gone before the process ends.
    static SharedPool& only = *new SharedPool;
    return only.id_;
  }

 private:
  SharedPool() {
    graph_.capture_begin(id_);
    tensor_ = at::zeros({1}, at::kCUDA);
    graph_.capture_end();
  }

  Id id_ = at::cuda::graph_pool_handle();
  at::cuda::CUDAGraph graph_;
  at::Tensor tensor_;
};

class CudaGraph : public DeviceGraph {
 public:
  void begin() override { graph_.capture_begin(SharedPool::id()); }
  void end() override { graph_.capture_end(); }
  void replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

/// The default stream cannot be recorded, and autograd walks back on the
/// streams of the way there. So everything runs on another one.
void leave_default_stream(const at::Device& device) {
  c10::cuda::set_device(device.index());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  if (stream != c10::cuda::getDefaultCUDAStream()) return;
  stream.synchronize();
  c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool());
}

[[maybe_unused]] const bool registered = register_device_graphs(
    at::kCUDA, {&leave_default_stream, []() -> std::unique_ptr<DeviceGraph> {
                  return std::make_unique<CudaGraph>();
                }});

}  // namespace
}  // namespace nestgrad

#endif
