#include "core/platform/memory_meter.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>

#include "core/platform/torch_versions.h"

namespace nestgrad {
namespace {

const auto kKind = c10::DebugInfoKind::PROFILER_STATE;

c10::MemoryReportingInfoBase* outer_report() {
  return dynamic_cast<c10::MemoryReportingInfoBase*>(
      c10::ThreadLocalDebugInfo::get(kKind));
}

}  // namespace

/// Receives every allocation and release of LibTorch's allocators.
class MemoryMeter::Report : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* pointer, std::int64_t size,
                         torch_versions::MemoryTotal allocated,
                         torch_versions::MemoryTotal reserved,
                         c10::Device device) override {
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
