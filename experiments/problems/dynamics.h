#pragma once

#include "core/problem.h"

namespace nestgrad {

/// A problem whose "training" is a given map of a state instead of descent on a
/// loss:
///
///   s' = next(s, h)
///
/// Its training loss has the gradient s - next(s, h), so that a step of sgd
/// with lr 1 and no momentum is the map. The field need not be the gradient of
/// anything; what the training loss says as a number means nothing. Derivatives
/// of steps, of any order and by state and hyperparameters, are those of
/// next().
class Dynamics : public BilevelProblem {
 public:
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const final;

  ProblemAbilities abilities() const final;

  /// The validation loss, "valid_loss".
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;

 protected:
  /// Where the state is after one step. `state`: [n], the weight "state", or
  /// [particles, n], and so the result.
  virtual Tensor next(const Tensor& state, const ParameterSet& hyper,
                      std::int64_t step) const = 0;

  static constexpr const char* kState = "state";
};

}  // namespace nestgrad
