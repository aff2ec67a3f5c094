#pragma once

#include <vector>

#include "core/problem.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// What samples imitate: examples, flattened, in the units of the samples.
struct SampledData {
  Dataset examples;                 ///< [examples, numbers], in memory
  std::vector<std::int64_t> shape;  ///< of one example before it was flattened
  InputScaling scaling = {};        ///< what preparation did to the inputs

  std::int64_t numbers() const { return examples.inputs.size(1); }

  /// Samples, [n, numbers], as [n, shape...] in the units of the source.
  Tensor in_source_units(const Tensor& samples) const;

  /// Adds the keys "data" and "shrink" to the schema of a problem.
  static Schema with_keys(Schema schema);

  /// Reads them. Throws ConfigError.
  static SampledData read(const Config& config, const ProblemContext& context);
};

}  // namespace nestgrad
