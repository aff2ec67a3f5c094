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
  Tensor examples;                  ///< [examples, numbers]
  Tensor classes;                   ///< int64, [examples]; undefined without
  std::int64_t class_count;         ///< 0 without
  std::vector<std::int64_t> shape;  ///< of one example
};

/// The key is for what a reward has to draw.
using RewardRegistry = Registry<Reward, const SampledData&, const Key&>;

}  // namespace nestgrad
