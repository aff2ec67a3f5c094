#pragma once

#include <memory>

#include "core/optimizer.h"
#include "core/problem.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {

/// A problem and the rule that trains it: the map from one TrainState to the
/// next, as a function of two parameter sets, weights and hyperparameters.
///
/// Immutable and pure. It remembers no run; an InnerRun does.
class TrainingLoop {
 public:
  TrainingLoop(std::shared_ptr<const BilevelProblem> problem,
               std::shared_ptr<const Optimizer> optimizer)
      : problem_(std::move(problem)), optimizer_(std::move(optimizer)) {}

  const std::shared_ptr<const BilevelProblem>& problem() const {
    return problem_;
  }
  const std::shared_ptr<const Optimizer>& optimizer() const {
    return optimizer_;
  }

  /// The state before the first step; on the tape of `hyper` if the initial
  /// weights depend on it. With `particles`, that of so many of them, each of
  /// which has its hyperparameters in `hyper`; see core/particles.h.
  TrainState start(const ParameterSet& hyper, const Key& run,
                   std::int64_t particles = 0) const;

  /// One training step. The minibatch and the noise follow from `run` and
  /// state.step, so a stretch of a run can be repeated exactly.
  ///
  /// With the tape on, the result is a differentiable function of `hyper` and
  /// of `state`; with it off, nothing of the step is remembered.
  TrainState step(const TrainState& state, const ParameterSet& hyper,
                  const Key& run, Tape tape = Tape::kOff) const;

  /// So many steps, one after another.
  TrainState steps(TrainState state, std::int64_t count,
                   const ParameterSet& hyper, const Key& run,
                   Tape tape = Tape::kOff) const {
    while (count-- > 0) state = step(state, hyper, run, tape);
    return state;
  }

  /// What the step from `state` draws.
  static Draw draw(const TrainState& state, const Key& run) {
    return {state.step,
            run.fold("step").fold(static_cast<std::uint64_t>(state.step)),
            state.particles};
  }

  // A step in two halves, for methods that come in between:
  // step(state, ...) = apply(state, train_gradient(state, ...), hyper).

  /// The gradient of the training loss that the step from `state` follows.
  ParameterSet train_gradient(const TrainState& state,
                              const ParameterSet& hyper, const Key& run,
                              Tape tape) const;

  /// The rule, on whatever tape its arguments are.
  TrainState apply(const TrainState& state, const ParameterSet& gradient,
                   const ParameterSet& hyper) const {
    return optimizer_->step(state, gradient, natural(hyper, state.particles));
  }

 private:
  ParameterSet natural(const ParameterSet& hyper, std::int64_t particles) const;

  std::shared_ptr<const BilevelProblem> problem_;
  std::shared_ptr<const Optimizer> optimizer_;
};

}  // namespace nestgrad
