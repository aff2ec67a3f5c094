#pragma once

#include <functional>
#include <string>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"
#include "faults.h"

// Helpers of the checks of all contracts.

namespace nestgrad::testing {

/// Collects faults, each once.
class Findings {
 public:
  /// Says where the next faults are found: "with horizon 4".
  void at(std::string place) { place_ = std::move(place); }

  /// Adds the fault unless `holds`.
  void expect(bool holds, const std::string& fault);

  Faults take() { return std::move(faults_); }

 private:
  std::string place_;
  Faults faults_;
};

/// "the estimator 'mine'", for a section of a configuration.
std::string named(const char* noun, const Json& section);

/// The faults that `judge` finds. An exception is one of them, `who` (such as
/// "the estimator 'mine'") the subject of its sentence.
Faults found(const std::string& who,
             const std::function<void(Findings&)>& judge);

/// Whether names, shapes and all numbers are the same.
bool equal(const ParameterSet& a, const ParameterSet& b);

/// Whether a derivative can be taken of any tensor of the set.
bool on_tape(const ParameterSet& set);

/// Seeds LibTorch's own generator: an implementation that draws from it gives
/// other results afterwards.
void disturb(std::uint64_t seed);

}  // namespace nestgrad::testing
