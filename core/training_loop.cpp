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
  const Draw draw{state.step, run.fold("step").fold(
                                  static_cast<std::uint64_t>(state.step))};
  if (tape == Tape::kOff) {
    const ParameterSet weights = state.weights.leaves();
    const ParameterSet constant = hyper.detach();
    const ParameterSet g =
        gradient(problem_->train_loss(weights, constant, draw), weights);
    const at::NoGradGuard no_tape;
    return optimizer_->step(state.detach(), g, problem_->natural(constant));
  }
  // Weights that are on no tape yet are made leaves of, so that there is
  // something to take the gradient for.
  TrainState from = state;
  from.weights = state.weights.map([](const Tensor& t) {
    return t.requires_grad() ? t : t.detach().requires_grad_();
  });
  const ParameterSet g = gradient(
      problem_->train_loss(from.weights, hyper, draw), from.weights, Tape::kOn);
  return optimizer_->step(from, g, problem_->natural(hyper));
}

}  // namespace nestgrad
