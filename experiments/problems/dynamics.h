#pragma once

#include "core/problem.h"

namespace nestgrad {

/// A problem whose "training" iterates a given map of a state instead of
/// descending on a loss:
///
///   s' = next(s, h, draw)
///
/// The gradient of its training loss is s - next(s, h, draw), so a step of sgd
/// with lr 1 and no momentum is the map. This field need not be the gradient of
/// a function, and the value of the training loss is meaningless. Derivatives
/// of steps, of any order, with respect to state and hyperparameters are those
/// of next().
class Dynamics : public BilevelProblem {
 public:
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const final;

  /// s - next(s, h).
  bool has_train_gradient() const final { return true; }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const final;

  /// Particles. A subclass whose map and whose validation loss take
  /// Draw::groups into account, or do not depend on the draw, may add groups.
  ProblemAbilities abilities() const override;

  /// The validation loss, "valid_loss".
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;

 protected:
  /// The state after step number `draw.step`. `state` is the weight "state",
  /// [n], or [particles, n]; the result has the same shape.
  virtual Tensor next(const Tensor& state, const ParameterSet& hyper,
                      const Draw& draw) const = 0;

  /// The same for groups of particles that stand at different steps; see
  /// Draw::groups. The default calls next() for each of them.
  virtual Tensor next_of_groups(const Tensor& state, const ParameterSet& hyper,
                                const std::vector<Draw>& groups) const;

  static constexpr const char* kState = "state";
};

}  // namespace nestgrad
