#pragma once

#include <functional>

#include "core/tensor/autodiff.h"
#include "core/training_loop.h"

namespace nestgrad {

/// Consecutive steps of training on a tape: `end` is a differentiable function
/// of `start` and `hyper`.
struct TapedSteps {
  TapedSteps(const TrainingLoop& loop, const TrainState& from,
             std::int64_t steps, const ParameterSet& h, const Key& run);

  ParameterSet hyper;  ///< leaves
  TrainState start;    ///< holds leaves
  TrainState end;
};

/// The derivative of a loss of the state that training has led to, carried back
/// through training one stretch of steps at a time. With s = (weights, slots),
///
///   at first     a = dL/ds                   g = dL/dh
///   a stretch    g <- g + (d s' / dh)' a     a <- (d s' / ds)' a
///
/// where s' is the state at the end of the stretch and s that at its start.
/// Only one stretch is on a tape at a time. The caller decides where the states
/// come from: kept, trained again, or run backwards.
class Adjoint {
 public:
  /// `loop` outlives this. `loss` are the partial derivatives of a loss of the
  /// state where training ended, `loss.weights` those by TrainState::joined();
  /// `run` is the key of training.
  Adjoint(const TrainingLoop& loop, const Key& run, const ParameterSet& hyper,
          const Partials& loss);

  /// Back through the `steps` steps from `start` to where the adjoint stands.
  void through(const TrainState& start, std::int64_t steps);

  /// The same for steps that are on the tape already, which this consumes
  /// unless other adjoints go through them, too.
  void through(const TapedSteps& steps, Graph graph = Graph::kConsume) {
    take(pulled(steps.end, steps.start, steps.hyper, state_, graph));
  }

  /// Back through one step that is being undone: step number `step` started at
  /// `weights`, and `slots` tells the slots there once it is given the gradient
  /// of the training loss, which is on the tape anyway.
  using Slots = std::function<ParameterSet(const ParameterSet& gradient)>;
  void through(const ParameterSet& weights, std::int64_t step,
               const Slots& slots);

  /// Back through initial weights, on the tape of the leaves `hyper`.
  void through(const ParameterSet& initial_weights, const ParameterSet& hyper);

  /// The hypergradient so far, off the tape.
  const ParameterSet& gradient() const { return gradient_; }

  /// What changes on the way: a and g.
  void persist(Archive& archive) {
    archive("state", state_);
    archive("gradient", gradient_);
  }

 private:
  /// What a stretch of steps makes of the adjoint.
  struct Pulled {
    ParameterSet state;  // (d s' / ds)' a
    ParameterSet hyper;  // (d s' / dh)' a
  };

  /// Back from `end`, on the tape of the leaves `start` and `hyper`.
  static Pulled pulled(const TrainState& end, const TrainState& start,
                       const ParameterSet& hyper, const ParameterSet& a,
                       Graph graph = Graph::kConsume);

  void take(const Pulled& pulled) {
    gradient_ = gradient_ + pulled.hyper;
    state_ = pulled.state;
  }

  const TrainingLoop& loop_;
  Key run_;
  ParameterSet hyper_;
  ParameterSet state_;     // a, alike to TrainState::joined()
  ParameterSet gradient_;  // g
};

}  // namespace nestgrad
