#pragma once

#include <string>
#include <vector>

#include "core/problem.h"
#include "hypergrad/attribution.h"

namespace nestgrad {

/// A function of a trained network that is attributed to training examples: the
/// mean loss of some examples of one part.
struct AttributionTarget {
  std::string name;  ///< "valid", "test:3"
  std::string part;
  std::vector<std::int64_t> rows = {};  ///< of the part; none: all

  EndFunction function(const BilevelProblem& problem) const;
};

/// Reads targets, in words:
///
///   valid            the mean loss of all validation examples
///   test:3           the loss of one test example, counted from 0
///   test:0-9,12      the losses of several, each a target by itself
///   test:mean:0-9    the mean loss of several
///   FILE             a file with such words, one per line
///
/// Throws Error for other words and for examples that `problem` does not have.
std::vector<AttributionTarget> read_targets(
    const std::vector<std::string>& words, const BilevelProblem& problem);

}  // namespace nestgrad
