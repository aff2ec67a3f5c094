#include <ATen/native/CPUFallback.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "tests/fake_device/graph.h"
#include "tests/fake_device/memory.h"

// Operators of the device, and how they are recorded.

namespace nestgrad::fake_device {
namespace {

using at::IntArrayRef;
using at::Tensor;

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
    count_waiting();
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

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("convolution_overrideable", &convolution);
  library.impl("convolution_backward_overrideable", &convolution_backward);
}

}  // namespace nestgrad::fake_device
