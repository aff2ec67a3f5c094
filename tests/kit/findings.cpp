#include "findings.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace nestgrad::testing {

int report(const Faults& faults) {
  for (const std::string& fault : faults) {
    fmt::print(stderr, "contract: {}\n", fault);
  }
  return faults.empty() ? 0 : 1;
}

void Findings::expect(bool holds, const std::string& fault) {
  if (holds) return;
  const std::string all = place_.empty() ? fault : fault + " " + place_;
  if (std::count(faults_.begin(), faults_.end(), all) == 0) {
    faults_.push_back(all);
  }
}

Faults found(const std::function<void(Findings&)>& judge) {
  Findings findings;
  try {
    judge(findings);
  } catch (const std::exception& error) {
    findings.expect(false, fmt::format("throws: {}", error.what()));
  }
  return findings.take();
}

bool equal(const ParameterSet& a, const ParameterSet& b) {
  return alike(a, b) && at::equal(a.flatten(), b.flatten());
}

bool on_tape(const ParameterSet& set) {
  const auto& tensors = set.tensors();
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor& t) { return t.requires_grad(); });
}

void disturb(std::uint64_t seed) {
  at::Generator global = at::globalContext().defaultGenerator(c10::kCPU);
  global.set_current_seed(seed);
}

}  // namespace nestgrad::testing
