#pragma once

#include <memory>

#include "core/nn/model.h"
#include "experiments/problems/sampled/sampled_data.h"

namespace nestgrad {

/// A perceptron that is trained to tell the classes of examples apart, by Adam,
/// 128 examples a step.
class TrainedClassifier {
 public:
  /// `config`: the section that asks for it, for messages. Throws ConfigError
  /// unless every example has a class.
  TrainedClassifier(const Config& config, const SampledData& data,
                    std::int64_t steps, const Key& key);

  /// log p(class | sample), [n, classes], on the tape of the samples,
  /// [n, numbers].
  Tensor log_probabilities(const Tensor& samples) const;

 private:
  std::unique_ptr<const Model> model_;
  ParameterSet weights_;
};

}  // namespace nestgrad
