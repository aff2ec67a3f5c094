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

std::string named(const char* noun, const Json& section) {
  const std::string type = section.is_string() ? section.get<std::string>()
                                               : section.value("type", "");
  return fmt::format("the {} '{}'", noun, type);
}

Faults found(const std::string& who,
             const std::function<void(Findings&)>& judge) {
  Findings findings;
  const auto thrown = [&](const std::string& what) {
    findings.expect(false, fmt::format("{} throws: {}", who, what));
  };
  try {
    judge(findings);
  } catch (const c10::Error& error) {
    // Its first line says what is wrong; where in LibTorch is no help.
    const std::string what = error.what_without_backtrace();
    thrown(what.substr(0, what.find('\n')));
  } catch (const std::exception& error) {
    thrown(error.what());
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
