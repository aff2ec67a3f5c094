#include "tests/fake_device/fake_device.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#if __has_include(<ATen/detail/PrivateUse1HooksInterface.h>)
#include <ATen/detail/PrivateUse1HooksInterface.h>
#define NESTGRAD_BACKENDS_HAVE_HOOKS
#endif

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/platform/error.h"

namespace nestgrad::fake_device {
namespace {

using at::IntArrayRef;
using at::Tensor;

constexpr c10::DeviceType kFake = c10::DeviceType::PrivateUse1;

std::atomic<std::int64_t> to_host{0}, to_device{0};

/// Whether this thread computes on the CPU for the device. Its copies are no
/// transfers.
thread_local bool computing = false;

struct Computing {
  Computing() : before(computing) { computing = true; }
  ~Computing() { computing = before; }
  bool before;
};

bool is_fake(const Tensor& t) {
  return t.defined() && t.device().type() == kFake;
}

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

/// The memory of `t` as a tensor of the CPU.
Tensor on_host(const Tensor& t) {
  if (!is_fake(t)) return t;
  const at::TensorOptions host = t.options().device(at::kCPU);
  if (t.numel() == 0) return at::empty_strided(t.sizes(), t.strides(), host);
  return at::from_blob(t.data_ptr(), t.sizes(), t.strides(), host);
}

Tensor& copy(Tensor& to, const Tensor& from, bool) {
  if (!computing && from.numel() > 0) {
    if (is_fake(from) && !is_fake(to)) ++to_host;
    if (is_fake(to) && !is_fake(from)) ++to_device;
  }
  const Computing scope;
  const at::NoGradGuard no_gradient;
  on_host(to).copy_(on_host(from));
  return to;
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool non_blocking) {
  Tensor out = to;
  return copy(out, from, non_blocking);
}

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
  if (!computing) ++to_host;
  return on_host(t).item();
}

Tensor on_device(const Tensor& t) {
  if (!t.defined()) return t;
  return copy_from(
      t, empty_strided(t.sizes(), t.strides(), t.scalar_type(), {}, {}, {}),
      false);
}

// Convolutions of backends have operators of their own.

void require_here(std::initializer_list<Tensor> tensors) {
  for (const Tensor& t : tensors) {
    require(is_fake(t), "a convolution was called with tensors of two devices");
  }
}

Tensor convolution(const Tensor& x, const Tensor& weight,
                   const c10::optional<Tensor>& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed,
                   IntArrayRef output_padding, std::int64_t groups) {
  require_here({x, weight});
  const Computing scope;
  const auto b = bias ? c10::optional<Tensor>(on_host(*bias)) : bias;
  return on_device(at::convolution(on_host(x), on_host(weight), b, stride,
                                   padding, dilation, transposed,
                                   output_padding, groups));
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(
    const Tensor& g, const Tensor& x, const Tensor& weight, IntArrayRef stride,
    IntArrayRef padding, IntArrayRef dilation, bool transposed,
    IntArrayRef output_padding, std::int64_t groups,
    std::array<bool, 3> wanted) {
  require_here({g, x, weight});
  const Computing scope;
  const std::int64_t outputs = g.size(1);
  const auto [gx, gw, gb] = at::convolution_backward(
      on_host(g), on_host(x), on_host(weight), at::IntArrayRef(outputs), stride,
      padding, dilation, transposed, output_padding, groups, wanted);
  return {on_device(gx), on_device(gw), on_device(gb)};
}

/// Calls f(tensor) for every tensor among the arguments.
template <class F>
void each_tensor(const c10::IValue& value, F&& f) {
  if (value.isTensor()) {
    f(value.toTensor());
  } else if (value.isTensorList()) {
    for (const Tensor& t : value.toTensorVector()) f(t);
  } else if (value.isList()) {
    for (const c10::IValue& item : value.toListRef()) each_tensor(item, f);
  }
}

/// A list of tensors that need not be there, which the fallback overlooks, on
/// the CPU.
c10::IValue on_host_if_optional(const c10::IValue& value) {
  if (!value.isOptionalTensorList()) return value;
  c10::List<c10::optional<Tensor>> out;
  for (const c10::optional<Tensor>& t : value.toOptionalTensorVector()) {
    out.push_back(t ? c10::optional<Tensor>(on_host(*t)) : t);
  }
  return out;
}

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::size_t count = op.schema().arguments().size();
  bool fake = false, mixed = false;
  for (const c10::IValue& value : torch::jit::last(*stack, count)) {
    each_tensor(value, [&](const Tensor& t) {
      if (!t.defined()) return;
      fake = fake || is_fake(t);
      mixed = mixed || (!is_fake(t) && t.dim() > 0);
    });
  }
  require(!fake || !mixed, "{} was called with tensors of two devices",
          c10::toString(op.operator_name()));
  const Computing scope;
  for (std::size_t i = stack->size() - count; i < stack->size(); ++i) {
    (*stack)[i] = on_host_if_optional((*stack)[i]);
  }
  at::native::cpu_fallback(op, stack);
}

}  // namespace

Transfers transfers() { return {to_host, to_device}; }

#ifdef NESTGRAD_BACKENDS_HAVE_HOOKS
namespace {

/// What LibTorch from 2.1 on asks of a backend. Functions that it has added
/// since would be no overrides in all versions.
struct Hooks : at::PrivateUse1HooksInterface {
  bool isBuilt() const { return true; }
  bool isAvailable() const { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const { return true; }
  c10::DeviceIndex deviceCount() const { return 1; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const {
    return at::detail::getDefaultCPUGenerator();
  }
};

[[maybe_unused]] const bool registered = [] {
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  // LibTorch knows of an accelerator once it has a name.
  c10::register_privateuse1_backend("privateuseone");
  return true;
}();

}  // namespace
#endif

namespace {

/// One device with one stream, on which everything is done at once.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kFake; }
  c10::Device getDevice() const override { return {kFake, 0}; }
  c10::Device exchangeDevice(c10::Device) const override { return {kFake, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
  c10::Stream getStream(c10::Device) const noexcept override {
    return stream();
  }
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return stream();
  }

 private:
  static c10::Stream stream() {
    return c10::Stream(c10::Stream::DEFAULT, c10::Device(kFake, 0));
  }
};

}  // namespace

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("_efficientzerotensor", &zeros);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", TORCH_FN(at::native::view));
  library.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  library.impl("unfold", TORCH_FN(at::native::unfold));
  library.impl("convolution_overrideable", &convolution);
  library.impl("convolution_backward_overrideable", &convolution_backward);
  library.impl("copy_", &copy);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("resize_", &resize_to);
  library.impl("_local_scalar_dense", &number);
}

}  // namespace nestgrad::fake_device

#include "experiments/setup/plugin_mark.h"

extern "C" __attribute__((used, visibility("default")))
const char nestgrad_plugin_mark[] =
    NESTGRAD_PLUGIN_FIRST_WORDS NESTGRAD_PLUGIN_MARK;
