#pragma once

#include <string>
#include <vector>

namespace nestgrad::testing {

/// What breaks a contract, one sentence per fault. Empty if it is kept.
using Faults = std::vector<std::string>;

/// Prints them to standard error. Returns 0 if there are none, for main().
int report(const Faults& faults);

}  // namespace nestgrad::testing
