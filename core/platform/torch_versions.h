#pragma once

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <string>

// What differs between versions of LibTorch.

namespace nestgrad::torch_versions {

/// The type of the totals that allocators report.
template <class T>
struct TotalOf;
template <class C, class Total>
struct TotalOf<void (C::*)(void*, std::int64_t, Total, Total, c10::Device)> {
  using Type = Total;
};
using MemoryTotal =
    TotalOf<decltype(&c10::MemoryReportingInfoBase::reportMemoryUsage)>::Type;

// Switches of kernels for attention; each function returns what the switch was.
// Where LibTorch has none, the second function of a pair is taken.

template <class Context>
auto switch_memory_efficient_attention(Context& context, bool on, int)
    -> decltype(context.setSDPUseMemEfficient(on), bool()) {
  const bool before = context.userEnabledMemEfficientSDP();
  context.setSDPUseMemEfficient(on);
  return before;
}
template <class Context>
bool switch_memory_efficient_attention(Context&, bool, long) {
  return false;
}

template <class Context>
auto switch_cudnn_attention(Context& context, bool on, int)
    -> decltype(context.setSDPUseCuDNN(on), bool()) {
  const bool before = context.userEnabledCuDNNSDP();
  context.setSDPUseCuDNN(on);
  return before;
}
template <class Context>
bool switch_cudnn_attention(Context&, bool, long) {
  return false;
}

/// Deterministic mode fills memory that is not yet set, in the versions that
/// have this switch.
template <class Context>
auto fill_new_memory(Context& context, bool on, int)
    -> decltype(context.setDeterministicFillUninitializedMemory(on)) {
  context.setDeterministicFillUninitializedMemory(on);
}
template <class Context>
void fill_new_memory(Context&, bool, long) {}

/// Has every warning of this thread answered by `answer` first, for the rest of
/// the process. Those for which it returns false go where they went before.
template <class Answer>
void answer_warnings(Answer answer) {
#if TORCH_VERSION_MAJOR >= 2
  namespace utils = c10::WarningUtils;
#else
  namespace utils = c10::Warning;
#endif
  class Handler : public c10::WarningHandler {
   public:
    explicit Handler(Answer answer) : answer_(answer) {}
#if TORCH_VERSION_MAJOR >= 2
    void process(const c10::Warning& warning) override {
      if (!answer_(warning.msg())) before_->process(warning);
    }
#else
    void process(const c10::SourceLocation& place, const std::string& text,
                 const bool verbatim) override {
      if (!answer_(text)) before_->process(place, text, verbatim);
    }
#endif

   private:
    Answer answer_;
    c10::WarningHandler* before_ = utils::get_warning_handler();
  };
  static Handler handler(answer);
  utils::set_warning_handler(&handler);
}

// torch.autocast, of the CPU and of CUDA.

#if TORCH_VERSION_MAJOR > 2 || \
    (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
inline bool autocast_is_on(at::DeviceType type) {
  return at::autocast::is_autocast_enabled(type);
}
inline void set_autocast(at::DeviceType type, bool on) {
  at::autocast::set_autocast_enabled(type, on);
}
inline at::ScalarType autocast_type(at::DeviceType type) {
  return at::autocast::get_autocast_dtype(type);
}
inline void set_autocast_type(at::DeviceType type, at::ScalarType to) {
  at::autocast::set_autocast_dtype(type, to);
}
#else
inline bool autocast_is_on(at::DeviceType type) {
  return type == at::kCPU ? at::autocast::is_cpu_enabled()
                          : at::autocast::is_enabled();
}
inline void set_autocast(at::DeviceType type, bool on) {
  type == at::kCPU ? at::autocast::set_cpu_enabled(on)
                   : at::autocast::set_enabled(on);
}
inline at::ScalarType autocast_type(at::DeviceType type) {
  return type == at::kCPU ? at::autocast::get_autocast_cpu_dtype()
                          : at::autocast::get_autocast_gpu_dtype();
}
inline void set_autocast_type(at::DeviceType type, at::ScalarType to) {
  type == at::kCPU ? at::autocast::set_autocast_cpu_dtype(to)
                   : at::autocast::set_autocast_gpu_dtype(to);
}
#endif

}  // namespace nestgrad::torch_versions
