#pragma once

#include "core/config/registry.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// What samples are wanted to be like.
class Reward {
 public:
  static constexpr const char* kKind = "rewards";

  virtual ~Reward() = default;

  /// A number for each of the samples, [n, numbers of an example], larger for
  /// better ones. On the tape of the samples.
  virtual Tensor of(const Tensor& samples) const = 0;
};

/// What the samples imitate: examples, flattened, in the units of the samples.
struct SampledData {
  Dataset examples;                 ///< [examples, numbers], in memory
  std::vector<std::int64_t> shape;  ///< of one example before it was flattened

  std::int64_t numbers() const { return examples.inputs.size(1); }
};

/// The key is for what a reward has to draw.
using RewardRegistry = Registry<Reward, const SampledData&, const Key&>;

}  // namespace nestgrad
