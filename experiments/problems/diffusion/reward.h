#pragma once

#include "core/config/registry.h"
#include "experiments/problems/sampled/sampled_data.h"

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

/// The key is for what a reward has to draw.
using RewardRegistry = Registry<Reward, const SampledData&, const Key&>;

}  // namespace nestgrad
