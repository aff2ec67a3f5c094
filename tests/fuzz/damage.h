#pragma once

#include <string>
#include <vector>

#include "tests/support/mutated_json.h"

namespace nestgrad {

/// A few random changes of bytes. `others`: good inputs of the same reader,
/// parts of which may be put in.
std::string damaged(std::string bytes, const std::vector<std::string>& others,
                    Random& random);

}  // namespace nestgrad
