#include "tests/fake_device/memory.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CPUAllocator.h>
#include <torch/library.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "tests/fake_device/fake_device.h"
#include "tests/fake_device/graph.h"

namespace nestgrad::fake_device {
namespace {

using at::IntArrayRef;
using at::Tensor;

std::atomic<std::int64_t> to_host{0}, to_device{0};

thread_local bool computing = false;

// Host memory that says it is the device's. There is as much of it as the
// environment says, in MiB.

std::atomic<std::int64_t> used{0};

std::int64_t limit() {
  static const char* const mebibytes = std::getenv("FAKE_DEVICE_MIB");
  static const std::int64_t bytes =
      mebibytes == nullptr ? std::numeric_limits<std::int64_t>::max()
                           : std::atoll(mebibytes) << 20;
  return bytes;
}

struct Block {
  void* data;
  std::int64_t bytes;
};

void release(void* context) {
  const std::unique_ptr<Block> block(static_cast<Block*>(context));
  used -= block->bytes;
  c10::GetCPUAllocator()->raw_deallocate(block->data);
}

class Memory : public c10::Allocator {
 public:
  // LibTorch has one of the two, and copy_data() from 2.1 on.
  c10::DataPtr allocate(std::size_t bytes) { return allocated(bytes); }
  c10::DataPtr allocate(std::size_t bytes) const { return allocated(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const {
    std::memcpy(to, from, bytes);
  }

 private:
  static c10::DataPtr allocated(std::size_t bytes) {
    const auto wanted = static_cast<std::int64_t>(bytes);
    if (used + wanted > limit()) {
      TORCH_CHECK_WITH(OutOfMemoryError, false,
                       "PrivateUse1 out of memory. Tried to allocate ",
                       wanted >> 10, ".00 KiB.");
    }
    auto block = std::make_unique<Block>();
    *block = {c10::GetCPUAllocator()->raw_allocate(bytes), wanted};
    used += wanted;
    void* const data = block->data;
    add_memory(data);
    return {data, block.release(), &release, c10::Device(kFake, 0)};
  }
};

Memory memory;

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

Tensor empty(IntArrayRef size, c10::optional<at::ScalarType> type,
             c10::optional<at::Layout>, c10::optional<at::Device>,
             c10::optional<bool>, c10::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, kKeys,
                                   c10::dtype_or_default(type), format);
}

Tensor empty_strided(IntArrayRef size, IntArrayRef stride,
                     c10::optional<at::ScalarType> type,
                     c10::optional<at::Layout>, c10::optional<at::Device>,
                     c10::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, kKeys,
                                           c10::dtype_or_default(type));
}

/// Zeros, which other devices need not keep in memory.
Tensor zeros(IntArrayRef size, c10::optional<at::ScalarType> type,
             c10::optional<at::Layout> layout, c10::optional<at::Device> device,
             c10::optional<bool> pinned) {
  return empty(size, type, layout, device, pinned, {}).zero_();
}

}  // namespace

Computing::Computing() : before_(computing) { computing = true; }

Computing::~Computing() { computing = before_; }

bool is_fake(const Tensor& t) {
  return t.defined() && t.device().type() == kFake;
}

Tensor on_host(const Tensor& t) {
  if (!is_fake(t)) return t;
  const at::TensorOptions host = t.options().device(at::kCPU);
  if (t.numel() == 0) return at::empty_strided(t.sizes(), t.strides(), host);
  return at::from_blob(t.data_ptr(), t.sizes(), t.strides(), host);
}

namespace {

Tensor& copy(Tensor& to, const Tensor& from, bool) {
  if (!computing && from.numel() > 0) {
    if (is_fake(from) != is_fake(to)) {
      refuse_if_recording("a transfer");
      ++(is_fake(from) ? to_host : to_device);
    }
  }
  const auto work = [](const Tensor& target, const Tensor& source) {
    const Computing scope;
    const at::NoGradGuard no_gradient;
    on_host(target).copy_(on_host(source));
  };
  if (!computing && recording()) {
    const Tensor target = handle(to), source = handle(from);
    add_to_recording([=] { work(target, source); }, {source}, {target});
  }
  work(to, from);
  return to;
}

}  // namespace

Tensor copy_from(const Tensor& from, const Tensor& to, bool non_blocking) {
  Tensor out = to;
  return copy(out, from, non_blocking);
}

Tensor on_device(const Tensor& t) {
  if (!t.defined()) return t;
  return copy_from(
      t, empty_strided(t.sizes(), t.strides(), t.scalar_type(), {}, {}, {}),
      false);
}

void count_waiting() { ++to_host; }

Transfers transfers() { return {to_host, to_device}; }

namespace {

const Tensor& resize_to(const Tensor& t, IntArrayRef size,
                        c10::optional<at::MemoryFormat> format) {
  const Tensor other = empty(size, t.scalar_type(), {}, {}, {}, format);
  auto* const own = t.unsafeGetTensorImpl();
  if (other.storage().nbytes() > t.storage().nbytes()) {
    own->set_storage_keep_dtype(other.storage());
  }
  own->set_sizes_and_strides(other.sizes(), other.strides());
  return t;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (to.sizes() != from.sizes()) resize_to(to, from.sizes(), {});
  return copy_from(from, to, false);
}

at::Scalar number(const Tensor& t) {
  if (!computing) {
    refuse_if_recording("the reading of a number");
    ++to_host;
  }
  return on_host(t).item();
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("_efficientzerotensor", &zeros);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", TORCH_FN(at::native::view));
  library.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  library.impl("unfold", TORCH_FN(at::native::unfold));
  library.impl("copy_", &copy);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("resize_", &resize_to);
  library.impl("_local_scalar_dense", &number);
}

}  // namespace nestgrad::fake_device
