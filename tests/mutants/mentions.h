#pragma once

#include <algorithm>
#include <string>

#include "tests/kit/contract.h"

namespace nestgrad::testing {

/// Whether one of the faults contains these words.
inline bool mentions(const Faults& faults, const std::string& words) {
  return std::any_of(faults.begin(), faults.end(), [&](const std::string& f) {
    return f.find(words) != std::string::npos;
  });
}

}  // namespace nestgrad::testing
