#pragma once

#include <memory>

#include "core/problem.h"
#include "core/training_loop.h"

namespace nestgrad {

/// A problem whose weights are one long vector, entry "weights".
///
/// A training rule then works on one tensor instead of one per layer. On a tape
/// this makes unrolling faster and its graph smaller. The losses see views of
/// the vector.
class Flattened : public ProblemDecorator {
 public:
  explicit Flattened(std::shared_ptr<const BilevelProblem> problem);

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;

  /// Those of the problem, but for particles.
  ProblemAbilities abilities() const override;

  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override;

 protected:
  ParameterSet inner_weights(const ParameterSet& weights) const override;

 private:
  ParameterSet layout_;  // names and shapes; the numbers do not matter
};

/// The same training on one long vector of weights; unchanged if the rule
/// treats weights by layer, tensor or weight.
TrainingLoop flattened(const TrainingLoop& loop);

}  // namespace nestgrad
