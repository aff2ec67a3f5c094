#pragma once

#include <c10/core/Device.h>
#include <fmt/format.h>
#include <gperftools/malloc_extension_c.h>

#include <fstream>
#include <string>

#include "core/platform/error.h"
#include "core/platform/memory_meter.h"

namespace nestgrad {

/// The value of a line of /proc/self/status such as "VmHWM", in MiB.
inline double memory_mib(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    double kib = 0;
    if (word == name + ":" && file >> kib) return kib / 1024;
  }
  throw Error(fmt::format("/proc/self/status has no line '{}'", name));
}

/// Peak of resident memory during some work, minus the memory before it.
template <class Work>
double peak_resident_mib(Work&& work) {
  MallocExtension_ReleaseFreeMemory();
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = memory_mib("VmRSS");
  work();
  return memory_mib("VmHWM") - before;
}

/// The same on a device; elsewhere than on the CPU the peak of tensors.
template <class Work>
double peak_mib(Work&& work, const c10::Device& device) {
  if (device.is_cpu()) return peak_resident_mib(work);
  const MemoryMeter meter;
  work();
  return mebibytes(meter.peak());
}

}  // namespace nestgrad
