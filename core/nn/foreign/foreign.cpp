#include "core/nn/foreign/foreign.h"

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/AutogradState.h>
#include <c10/core/DefaultDtype.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/nn/foreign/twice_differentiable.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

// The one dispatch key that LibTorch leaves to others; there is one fallback
// for it in a process, and this is it.
constexpr auto kKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

/// What a foreign network can change of the process, put back at the end.
class ProcessState {
 public:
  explicit ProcessState(c10::Device device) {
    generators_.push_back(
        at::globalContext().defaultGenerator(c10::Device(at::kCPU)));
    if (device.type() != at::kCPU) {
      generators_.push_back(at::globalContext().defaultGenerator(device));
    }
    for (const at::Generator& one : generators_) {
      states_.push_back(one.get_state());
    }
  }
  ~ProcessState() {
    c10::AutogradState::set_tls_state(autograd_);
    for (std::size_t i = 0; i < generators_.size(); ++i) {
      generators_[i].set_state(states_[i]);
    }
    if (c10::get_default_dtype() != type_) c10::set_default_dtype(type_);
    if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
  }
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;

  void seed(const Key& key) {
    for (at::Generator& one : generators_) {
      one.set_current_seed(key.bits() ^ (key.bits() >> 32));
    }
  }

 private:
  c10::AutogradState autograd_ = c10::AutogradState::get_tls_state();
  caffe2::TypeMeta type_ = c10::get_default_dtype();
  int threads_ = at::get_num_threads();
  std::vector<at::Generator> generators_;
  std::vector<Tensor> states_;
};

/// The bytes from the first number of a tensor to its last.
struct Span {
  explicit Span(const Tensor& t) {
    if (!t.defined() || !t.has_storage() || t.numel() == 0) return;
    std::int64_t last = 0;
    for (std::int64_t d = 0; d < t.dim(); ++d) {
      last += (t.size(d) - 1) * t.stride(d);
    }
    begin = reinterpret_cast<std::uintptr_t>(t.data_ptr());
    end = begin + static_cast<std::uintptr_t>(last + 1) * t.itemsize();
  }
  bool overlaps(const Span& other) const {
    return begin < other.end && other.begin < end;
  }

  std::uintptr_t begin = 0, end = 0;
};

/// Stops the network before an operator writes into one of some tensors.
class Watch {
 public:
  /// Tensor number `n`.
  void add(std::size_t n, const Tensor& t) { spans_.emplace_back(n, t); }

  /// Throws if `t`, which an operator is about to write into, is one of them.
  void before_writing(const Tensor& t) {
    if (!t.defined()) return;
    const Span here(t);
    for (const auto& [n, span] : spans_) {
      if (!here.overlaps(span)) continue;
      written_ = n;
      throw std::runtime_error("writes into an argument");
    }
  }

  /// Which it was. LibTorch may have thrown another exception in the place of
  /// that of before_writing().
  const std::optional<std::size_t>& written() const { return written_; }

 private:
  std::vector<std::pair<std::size_t, Span>> spans_;
  std::optional<std::size_t> written_;
};

// Of the network that is running on this thread.
thread_local const Substitutes* substitutes_here = nullptr;
thread_local Watch* watch_here = nullptr;

/// Sets one of these for a scope, in which the fallback is called.
template <class T>
class Active {
 public:
  Active(T*& place, T* value) : place_(place), before_(place), on_(kKey) {
    place_ = value;
  }
  ~Active() { place_ = before_; }
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;

 private:
  T*& place_;
  T* before_;
  c10::impl::IncludeDispatchKeyGuard on_;
};

/// Calls f with every tensor of an operator's argument, which f may replace.
template <class F>
void each_tensor(c10::IValue& value, F&& f) {
  if (value.isTensor()) {
    Tensor t = value.toTensor();
    if (t.defined()) f(t);
    value = t;
  } else if (value.isTensorList()) {
    c10::List<Tensor> list = value.toTensorList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) {
      Tensor t = list.get(i);
      f(t);
      list.set(i, t);
    }
    value = list;
  } else if (value.isOptionalTensorList()) {
    auto list = value.toOptionalTensorList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto t = list.get(i);
      if (t && t->defined()) f(*t);
      list.set(i, t);
    }
    value = list;
  }
}

/// Runs an operator of a foreign network. Inner operators are not seen.
void run_watched(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& arguments = op.schema().arguments();
  const std::size_t first = stack->size() - arguments.size();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    c10::IValue& value = (*stack)[first + i];
    if (substitutes_here != nullptr) {
      each_tensor(value, [](Tensor& t) {
        const auto found = substitutes_here->find(t.unsafeGetTensorImpl());
        if (found != substitutes_here->end()) t = found->second;
      });
    }
    const c10::AliasInfo* const alias = arguments[i].alias_info();
    if (watch_here != nullptr && alias != nullptr && alias->isWrite()) {
      each_tensor(value, [](Tensor& t) { watch_here->before_writing(t); });
    }
  }
  const c10::impl::ExcludeDispatchKeyGuard off(kKey);
  op.callBoxed(stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_watched>());
}

/// Throws Unsupported if derivatives with respect to the weights are lost.
void require_gradients(const ForeignNetwork& network,
                       const ForeignArguments& arguments, const Tensor& out) {
  std::vector<Tensor> all = arguments.weights;
  all.push_back(arguments.input);
  if (depends_on(out, network.own, all)) {
    throw Unsupported(
        fmt::format("{}, so its gradient would be lost", network.detour));
  }
  const bool taped =
      at::GradMode::is_enabled() &&
      std::any_of(arguments.weights.begin(), arguments.weights.end(),
                  [](const Tensor& w) { return w.requires_grad(); });
  if (taped && !depends_on(out, arguments.weights, {})) {
    throw Unsupported(
        "the outputs do not depend on the weights: the network detaches them "
        "(detach, no_grad), so there is nothing to train");
  }
}

/// One call. `written` receives the number of a tensor that the network was
/// about to write into: of an argument, the input last, or a larger one of a
/// constant. The result is undefined then.
Tensor attempt(const ForeignNetwork& network, const ForeignArguments& given,
               const std::vector<bool>& copied,
               std::optional<std::size_t>& written) {
  if (!network.may_write) return network.call(given);
  ForeignArguments own = given;
  Watch watch;
  for (std::size_t i = 0; i < copied.size(); ++i) {
    Tensor& t = i < own.weights.size() ? own.weights[i] : own.input;
    if (copied[i]) {
      t = t.clone();
    } else {
      watch.add(i, t);
    }
  }
  for (const Tensor& t : network.constants) watch.add(copied.size(), t);
  try {
    const Active<Watch> watching(watch_here, &watch);
    return network.call(own);
  } catch (const std::exception&) {
    if (!watch.written()) throw;
    written = watch.written();
    return {};
  }
}

}  // namespace

Tensor ForeignCalls::operator()(const ForeignNetwork& network,
                                const ForeignArguments& arguments,
                                const Key& key) const {
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  written_.resize(arguments.weights.size() + 1);
  while (true) {
    std::optional<std::size_t> written;
    Tensor out;
    {
      ProcessState as_before(arguments.input.device());
      as_before.seed(key);
      const TwiceDifferentiable kernels(network.recurrent);
      out = attempt(network, arguments, written_, written);
    }
    if (!written) {
      require_gradients(network, arguments, out);
      return out;
    }
    if (*written == written_.size()) {
      throw Unsupported(
          "the network writes into a tensor that it keeps from one call to the "
          "next and that is no parameter and no buffer (register_buffer)");
    }
    written_[*written] = true;
  }
}

Tensor with_substitutes(const Substitutes& substitutes,
                        const std::function<Tensor()>& f) {
  const Active<const Substitutes> active(substitutes_here, &substitutes);
  return f();
}

Tensor scratch_copy(const Tensor& own, const at::TensorOptions& of_weights) {
  const auto type = own.is_floating_point() ? of_weights.dtype().toScalarType()
                                            : own.scalar_type();
  return own.detach().to(of_weights.device(), type, /*non_blocking=*/false,
                         /*copy=*/true);
}

}  // namespace nestgrad
