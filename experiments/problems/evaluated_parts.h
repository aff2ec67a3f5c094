#pragma once

#include <cstdint>

namespace nestgrad {

/// The most examples that a network is asked about at a time: bounds the memory
/// that it takes.
constexpr std::int64_t kEvaluationBatch = 1000;

/// Calls f(first, n) for the parts in which `examples` examples are evaluated.
/// They are of equal size, up to one example: a network that normalizes with
/// the statistics of the batch cannot take a rest of one.
template <class F>
void each_evaluated_part(std::int64_t examples, F&& f) {
  const std::int64_t parts =
      (examples + kEvaluationBatch - 1) / kEvaluationBatch;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = examples * part / parts;
    f(first, examples * (part + 1) / parts - first);
  }
}

}  // namespace nestgrad
