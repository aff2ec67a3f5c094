#include "core/training_loop.h"

#include <ATen/core/grad_mode.h>

namespace nestgrad {

TrainState TrainingLoop::start(const ParameterSet& hyper,
                               const Key& run) const {
  ParameterSet weights = problem_->initial_weights(hyper, run.fold("weights"));
  ParameterSet slots = optimizer_->slots(weights.detach());
  return {std::move(weights), std::move(slots), 0};
}

TrainState TrainingLoop::step(const TrainState& state,
                              const ParameterSet& hyper, const Key& run,
                              Tape tape) const {
  const ParameterSet g = train_gradient(state, hyper, run, tape);
  if (tape == Tape::kOn) return apply(state, g, hyper);
  const at::NoGradGuard no_tape;
  return apply(state.detach(), g, hyper.detach());
}

ParameterSet TrainingLoop::train_gradient(const TrainState& state,
                                          const ParameterSet& hyper,
                                          const Key& run, Tape tape) const {
  // Weights that are on no tape are made leaves of, so that there is something
  // to take the gradient for.
  const ParameterSet weights = state.weights.map([tape](const Tensor& t) {
    return tape == Tape::kOn && t.requires_grad() ? t
                                                  : t.detach().requires_grad_();
  });
  return gradient(
      problem_->train_loss(weights, tape == Tape::kOn ? hyper : hyper.detach(),
                           draw(state, run)),
      weights, tape);
}

}  // namespace nestgrad
