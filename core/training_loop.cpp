#include "core/training_loop.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/particles.h"
#include "core/platform/threads.h"

namespace nestgrad {

TrainState TrainingLoop::start(const ParameterSet& hyper, const Key& run,
                               std::int64_t particles) const {
  const Key key = run.fold("weights");
  ParameterSet weights;
  if (particles == 0) {
    weights = problem_->initial_weights(hyper, key);
  } else {
    const ParameterSet first =
        problem_->initial_weights(particle(hyper, 0).leaves(), key);
    const bool same =
        std::none_of(first.tensors().begin(), first.tensors().end(),
                     [](const Tensor& t) { return t.requires_grad(); });
    if (same) {
      weights = repeated(first, particles);
    } else {
      weights = one_by_one(particles, [&](std::int64_t i) {
        return problem_->initial_weights(particle(hyper, i), key);
      });
    }
  }
  ParameterSet slots =
      particles > 0 ? repeated(optimizer_->slots(particle(weights, 0).detach()),
                               particles)
                    : optimizer_->slots(weights.detach());
  return {std::move(weights), std::move(slots), 0, particles};
}

ParameterSet TrainingLoop::natural(const ParameterSet& hyper,
                                   std::int64_t particles) const {
  if (particles == 0 || problem_->abilities().particles)
    return problem_->natural(hyper);
  return one_by_one(particles, [&](std::int64_t i) {
    return problem_->natural(particle(hyper, i));
  });
}

TrainState TrainingLoop::step(const TrainState& state,
                              const ParameterSet& hyper, const Key& run,
                              Tape tape) const {
  const SplitOperators split(state.particles > 0 &&
                                     problem_->abilities().particles
                                 ? state.weights.numel()
                                 : 0);
  const ParameterSet g = train_gradient(state, hyper, run, tape);
  if (tape == Tape::kOn) return apply(state, g, hyper);
  const at::NoGradGuard no_tape;
  return apply(state.detach(), g, hyper.detach());
}

std::string TrainingLoop::name(const TrainState& state, std::int64_t count,
                               const Key& run) const {
  return fmt::format("{} {} {} {}", state.step, count, state.particles,
                     run.bits());
}

TrainState TrainingLoop::steps(TrainState state, std::int64_t count,
                               const ParameterSet& hyper, const Key& run,
                               Tape tape) const {
  if (!replays_ || tape == Tape::kOn) {
    return stepwise(std::move(state), count, hyper, run, tape);
  }
  while (count > 0) {
    const std::int64_t n = std::min(count, kLongestReplay);
    const ParameterSets end =
        (*replays_)("steps " + name(state, n, run),
                    [&](const ParameterSets& x) -> ParameterSets {
                      const TrainState e =
                          stepwise({x[0], x[1], state.step, state.particles}, n,
                                   x[2], run, Tape::kOff);
                      return {e.weights, e.slots};
                    },
                    {state.weights, state.slots, hyper});
    state = {end[0], end[1], state.step + n, state.particles};
    count -= n;
  }
  return state;
}

ParameterSet TrainingLoop::train_gradient(const TrainState& state,
                                          const ParameterSet& hyper,
                                          const Key& run, Tape tape) const {
  // Weights that are not on a tape become leaves, so that the gradient can be
  // taken.
  const ParameterSet weights = state.weights.map([tape](const Tensor& t) {
    return tape == Tape::kOn && t.requires_grad() ? t
                                                  : t.detach().requires_grad_();
  });
  const ParameterSet h = tape == Tape::kOn ? hyper : hyper.detach();
  const Draw of_step = draw(state, run);
  if (state.particles == 0) {
    return gradient(problem_->train_loss(weights, h, of_step), weights, tape);
  }
  if (tape == Tape::kOn || problem_->abilities().particles) {
    return gradient(train_losses(*problem_, weights, h, of_step).sum(), weights,
                    tape);
  }
  // One graph at a time, to save memory.
  return one_by_one(state.particles, [&](std::int64_t i) {
    const TrainState one{particle(state.weights, i), {}, state.step};
    return train_gradient(one, particle(h, i), run, tape);
  });
}

}  // namespace nestgrad
