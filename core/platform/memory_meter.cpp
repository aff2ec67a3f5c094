#include "core/platform/memory_meter.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>

namespace nestgrad {
namespace {

/// The type of the totals that allocators report; it differs between versions
/// of LibTorch.
template <class T>
struct TotalOf;
template <class C, class Total>
struct TotalOf<void (C::*)(void*, std::int64_t, Total, Total, c10::Device)> {
  using Type = Total;
};
using Total =
    TotalOf<decltype(&c10::MemoryReportingInfoBase::reportMemoryUsage)>::Type;

const auto kKind = c10::DebugInfoKind::PROFILER_STATE;

c10::MemoryReportingInfoBase* outer_report() {
  return dynamic_cast<c10::MemoryReportingInfoBase*>(
      c10::ThreadLocalDebugInfo::get(kKind));
}

}  // namespace

/// Receives every allocation and release of LibTorch's allocators.
class MemoryMeter::Report : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* pointer, std::int64_t size, Total allocated,
                         Total reserved, c10::Device device) override {
    current += size;
    peak = std::max(peak, current);
    if (outer != nullptr) {
      outer->reportMemoryUsage(pointer, size, allocated, reserved, device);
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  c10::MemoryReportingInfoBase* outer = outer_report();
  std::int64_t current = 0, peak = 0;
};

class MemoryMeter::Guard : public c10::DebugInfoGuard {
 public:
  using c10::DebugInfoGuard::DebugInfoGuard;
};

MemoryMeter::MemoryMeter()
    : report_(std::make_shared<Report>()),
      guard_(std::make_unique<Guard>(kKind, report_)) {}

MemoryMeter::~MemoryMeter() = default;

bool MemoryMeter::running() { return outer_report() != nullptr; }

std::int64_t MemoryMeter::current() const { return report_->current; }

std::int64_t MemoryMeter::peak() const { return report_->peak; }

void MemoryMeter::restart() { report_->peak = report_->current; }

}  // namespace nestgrad
