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

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "tests/fake_device/graph.h"

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

/// The memory of `t` as a tensor of the CPU.
Tensor on_host(const Tensor& t) {
  if (!is_fake(t)) return t;
  const at::TensorOptions host = t.options().device(at::kCPU);
  if (t.numel() == 0) return at::empty_strided(t.sizes(), t.strides(), host);
  return at::from_blob(t.data_ptr(), t.sizes(), t.strides(), host);
}

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
  if (!computing) {
    refuse_if_recording("the reading of a number");
    ++to_host;
  }
  return on_host(t).item();
}

Tensor on_device(const Tensor& t) {
  if (!t.defined()) return t;
  return copy_from(
      t, empty_strided(t.sizes(), t.strides(), t.scalar_type(), {}, {}, {}),
      false);
}

/// Puts numbers that were computed anew where a recording has them.
void refresh(const Tensor& old, const Tensor& now) {
  if (old.storage().data() == now.storage().data()) return;  // in place
  copy_from(now, old, false);
}

std::vector<Tensor> those_here(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  std::copy_if(tensors.begin(), tensors.end(), std::back_inserter(out),
               is_fake);
  return out;
}

std::vector<Tensor> handles(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out = tensors;
  for (Tensor& t : out) {
    if (t.defined()) t = handle(t);
  }
  return out;
}

// Convolutions of backends have operators of their own. What their settings
// refer to may be gone when a recording is run.

struct Window {
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  bool transposed;
  std::int64_t groups;
};

void require_here(std::initializer_list<Tensor> tensors) {
  for (const Tensor& t : tensors) {
    require(is_fake(t), "a convolution was called with tensors of two devices");
  }
}

/// `f` of `x` on the CPU, the results on the device. `x` are there or
/// undefined.
template <class F>
std::vector<Tensor> convolved(const std::vector<Tensor>& x, const F& f) {
  const auto run = [f](std::vector<Tensor> in) {
    const Computing scope;
    for (Tensor& t : in) {
      if (t.defined()) t = on_host(t);
    }
    std::vector<Tensor> out = f(in);
    for (Tensor& t : out) t = on_device(t);
    return out;
  };
  const std::vector<Tensor> out = run(x);
  if (recording()) {
    const std::vector<Tensor> from = handles(x), to = handles(out);
    add_to_recording(
        [=] {
          const std::vector<Tensor> now = run(from);
          for (std::size_t i = 0; i < to.size(); ++i) {
            if (to[i].defined()) refresh(to[i], now[i]);
          }
        },
        those_here(from), those_here(to));
  }
  return out;
}

Tensor convolution(const Tensor& x, const Tensor& weight,
                   const c10::optional<Tensor>& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed,
                   IntArrayRef output_padding, std::int64_t groups) {
  require_here({x, weight});
  const Window w{stride.vec(),         padding.vec(), dilation.vec(),
                 output_padding.vec(), transposed,    groups};
  return convolved({x, weight, bias.value_or(Tensor())},
                   [w](const std::vector<Tensor>& in) -> std::vector<Tensor> {
                     return {at::convolution(
                         in[0], in[1], in[2], w.stride, w.padding, w.dilation,
                         w.transposed, w.output_padding, w.groups)};
                   })[0];
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(
    const Tensor& g, const Tensor& x, const Tensor& weight, IntArrayRef stride,
    IntArrayRef padding, IntArrayRef dilation, bool transposed,
    IntArrayRef output_padding, std::int64_t groups,
    std::array<bool, 3> wanted) {
  require_here({g, x, weight});
  const Window w{stride.vec(),         padding.vec(), dilation.vec(),
                 output_padding.vec(), transposed,    groups};
  const std::vector<Tensor> out = convolved(
      {g, x, weight},
      [w, wanted](const std::vector<Tensor>& in) -> std::vector<Tensor> {
        const auto [gx, gw, gb] = at::convolution_backward(
            in[0], in[1], in[2], at::IntArrayRef(in[0].size(1)), w.stride,
            w.padding, w.dilation, w.transposed, w.output_padding, w.groups,
            wanted);
        return {gx, gw, gb};
      });
  return {out[0], out[1], out[2]};
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

std::vector<Tensor> tensors_of(at::ArrayRef<c10::IValue> values) {
  std::vector<Tensor> out;
  for (const c10::IValue& value : values) {
    each_tensor(value, [&](const Tensor& t) {
      if (t.defined()) out.push_back(t);
    });
  }
  return out;
}

/// The value with f(tensor) in the place of every tensor.
template <class F>
c10::IValue mapped(const c10::IValue& value, F&& f) {
  if (value.isTensor()) {
    return value.toTensor().defined() ? f(value.toTensor()) : value;
  }
  if (value.isTensorList()) {
    c10::List<Tensor> out;
    for (const Tensor& t : value.toTensorVector()) out.push_back(f(t));
    return out;
  }
  if (value.isOptionalTensorList()) {
    c10::List<c10::optional<Tensor>> out;
    for (const c10::optional<Tensor>& t : value.toOptionalTensorVector()) {
      out.push_back(t ? c10::optional<Tensor>(f(*t)) : t);
    }
    return out;
  }
  return value;
}

/// Whether the host has to know numbers for the shape or the value of the
/// result.
bool waits(const c10::OperatorHandle& op, at::ArrayRef<c10::IValue> values) {
  static const std::set<std::string> all = {
      "aten::nonzero",  "aten::masked_select", "aten::bincount",
      "aten::_unique2", "aten::unique_dim",    "aten::equal"};
  const std::string name = op.operator_name().name;
  if (all.count(name) > 0) return true;
  // It may be told the size of the result.
  if (name == "aten::repeat_interleave") return values.back().isNone();
  if (name != "aten::index" && name.rfind("aten::index_put", 0) != 0 &&
      name != "aten::_index_put_impl_") {
    return false;
  }
  bool masks = false;
  each_tensor(values[1], [&](const Tensor& t) {
    masks = masks || (t.defined() && (t.scalar_type() == at::kBool ||
                                      t.scalar_type() == at::kByte));
  });
  return masks;
}

void compute_now(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Computing scope;
  const std::size_t count = op.schema().arguments().size();
  for (std::size_t i = stack->size() - count; i < stack->size(); ++i) {
    // The fallback overlooks lists of tensors that need not be there.
    c10::IValue& value = (*stack)[i];
    if (value.isOptionalTensorList()) value = mapped(value, on_host);
  }
  at::native::cpu_fallback(op, stack);
}

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto arguments =
      torch::jit::last(*stack, op.schema().arguments().size());
  const std::vector<Tensor> from = tensors_of(arguments);
  const bool fake = std::any_of(from.begin(), from.end(), is_fake);
  const bool mixed = std::any_of(from.begin(), from.end(), [](const Tensor& t) {
    return !is_fake(t) && t.dim() > 0;
  });
  require(!fake || !mixed, "{} was called with tensors of two devices",
          c10::toString(op.operator_name()));
  if (waits(op, arguments)) {
    refuse_if_recording(c10::toString(op.operator_name()));
    ++to_host;
  }
  if (!recording()) {
    compute_now(op, stack);
    return;
  }
  torch::jit::Stack again;
  for (const c10::IValue& value : arguments) {
    again.push_back(mapped(value, handle));
  }
  compute_now(op, stack);
  const std::vector<Tensor> to =
      tensors_of(torch::jit::last(*stack, op.schema().returns().size()));
  const std::vector<Tensor> old = handles(to);
  add_to_recording(
      [op, again, old] {
        torch::jit::Stack values = again;
        compute_now(op, &values);
        const std::vector<Tensor> now = tensors_of(values);
        for (std::size_t i = 0; i < old.size(); ++i) refresh(old[i], now[i]);
      },
      those_here(tensors_of(again)), those_here(old));
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
