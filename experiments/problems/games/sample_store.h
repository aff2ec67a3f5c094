#pragma once

#include <cstdint>
#include <functional>

#include "core/optimizer.h"

namespace nestgrad {

/// Samples of the weights of a network, along a chain of training steps whose
/// rule makes them come from a posterior.
class SampleStore {
 public:
  struct Chain {
    std::int64_t burn_in;  ///< steps before the first sample
    std::int64_t thin;     ///< steps from one sample to the next
    std::int64_t samples;
  };

  /// `loss`: the training loss of a step. The same arguments give the same
  /// samples.
  SampleStore(const Chain& chain, const Optimizer& rule,
              const ParameterSet& start,
              const std::function<Tensor(const ParameterSet& weights,
                                         std::int64_t step)>& loss,
              const Key& key);

  std::int64_t size() const { return samples_.size(0); }

  /// How many numbers a sample has.
  std::int64_t numbers() const { return samples_.size(1); }

  /// All samples, standardized number by number, [samples, numbers].
  const Tensor& standardized() const { return samples_; }

  /// The weights of which this is the standardized form, [numbers].
  ParameterSet weights(const Tensor& standardized) const;

 private:
  ParameterSet like_;
  Tensor samples_, mean_, deviation_;
};

}  // namespace nestgrad
