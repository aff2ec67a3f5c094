#include "tests/fake_device/graph.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <limits>
#include <map>
#include <set>

#include "core/platform/error.h"
#include "core/tensor/device_graph.h"
#include "tests/fake_device/fake_device.h"

namespace nestgrad::fake_device {
namespace {

using at::Tensor;

class Graph : public DeviceGraph {
 public:
  ~Graph() override {
    if (now == this) now = nullptr;
  }

  void begin() override {
    require(now == nullptr, "there is a recording already");
    now = this;
  }

  /// CUDA does not run what it records. Here it was run, so its results are
  /// spoiled, for nobody to use them.
  void end() override {
    now = nullptr;
    const at::NoGradGuard no_tape;
    for (const Tensor& t : written_) {
      if (made(t)) spoil(t);
    }
    for (const auto* const tensors : {&read_, &written_}) {
      for (const Tensor& t : *tensors) {
        if (!made(t)) ++own_handles_[t.storage().unsafeGetStorageImpl()];
      }
    }
  }

  void replay() override {
    const at::NoGradGuard no_tape;
    for (const Tensor& t : read_) {
      const auto found = own_handles_.find(t.storage().unsafeGetStorageImpl());
      require(found == own_handles_.end() ||
                  t.storage().use_count() > found->second,
              "a recording reads memory that nobody has any more");
    }
    for (const auto& work : work_) work();
    ++count;
  }

  void add(std::function<void()> work, const std::vector<Tensor>& from,
           const std::vector<Tensor>& to) {
    work_.push_back(std::move(work));
    read_.insert(read_.end(), from.begin(), from.end());
    written_.insert(written_.end(), to.begin(), to.end());
  }

  void add_memory(const void* data) { memory_.insert(data); }

  inline static Graph* now = nullptr;
  inline static std::int64_t count = 0;  // of replays

 private:
  bool made(const Tensor& t) const {
    return memory_.count(t.storage().data()) > 0;
  }

  static void spoil(const Tensor& t) {
    const Tensor on_host = at::from_blob(t.data_ptr(), t.sizes(), t.strides(),
                                         t.options().device(at::kCPU));
    if (t.is_floating_point()) {
      on_host.fill_(std::numeric_limits<double>::quiet_NaN());
    } else {
      on_host.fill_(1);
    }
  }

  std::vector<std::function<void()>> work_;
  std::vector<Tensor> read_, written_;
  std::set<const void*> memory_;  // allocated while this recorded
  std::map<const c10::StorageImpl*, std::size_t> own_handles_;  // on the rest
};

[[maybe_unused]] const bool graphs_registered = register_device_graphs(
    at::DeviceType::PrivateUse1, {[](const at::Device&) {},
                                  []() -> std::unique_ptr<DeviceGraph> {
                                    return std::make_unique<Graph>();
                                  }});

}  // namespace

std::int64_t replays() { return Graph::count; }

bool recording() { return Graph::now != nullptr; }

void refuse_if_recording(const std::string& what) {
  require(!recording(), "{} cannot be recorded", what);
}

void add_memory(const void* data) {
  if (recording()) Graph::now->add_memory(data);
}

void add_to_recording(std::function<void()> work,
                      const std::vector<Tensor>& from,
                      const std::vector<Tensor>& to) {
  Graph::now->add(std::move(work), from, to);
}

Tensor handle(const Tensor& t) {
  return Tensor(t.unsafeGetTensorImpl()->shallow_copy_and_detach(
      c10::VariableVersion(0), /*allow_tensor_metadata_change=*/false));
}

}  // namespace nestgrad::fake_device
