#include "core/training_loop.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/particles.h"
#include "core/platform/error.h"
#include "core/platform/threads.h"
#include "core/tensor/part.h"

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
  if (sums_losses()) {
    const auto options = weights.tensors().front().options();
    slots.insert(kLossSum, particles > 0 ? at::zeros({particles}, options)
                                         : at::zeros({}, options));
  }
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

Draw TrainingLoop::draw(const TrainState& state, const Runs& runs) const {
  Draw out = draw(state.step, state.particles, runs.first());
  const auto groups = static_cast<std::int64_t>(runs.groups().size());
  if (groups == 1) return out;
  require(problem_->abilities().groups,
          "groups with different draws need a problem that takes them");
  auto each = std::make_shared<std::vector<Draw>>();
  for (const auto& [run, ahead] : runs.groups()) {
    each->push_back(draw(state.step + ahead, state.particles / groups, run));
  }
  out.groups = std::move(each);
  return out;
}

TrainState TrainingLoop::step(const TrainState& state,
                              const ParameterSet& hyper, const Runs& runs,
                              Tape tape) const {
  return stepwise(state, 1, hyper, runs, tape);
}

TrainState TrainingLoop::stepwise(TrainState state, std::int64_t count,
                                  const ParameterSet& hyper, const Runs& runs,
                                  Tape tape) const {
  const SplitOperators split(state.particles > 0 &&
                                     problem_->abilities().particles
                                 ? state.weights.numel()
                                 : 0);
  const bool taped = tape == Tape::kOn;
  if (!taped) state = state.detach();
  const ParameterSet h = taped ? hyper : hyper.detach();
  const at::AutoGradMode mode(taped);
  std::optional<OffTape> off;
  if (!taped && problem_->has_train_gradient() &&
      problem_->abilities().gradient_by_formula) {
    off.emplace();
  }
  // They are the same in all steps.
  const ParameterSet units = natural(h, state.particles);
  while (count-- > 0) {
    state = moved(state, train_gradient(state, h, runs, tape), h, units, runs);
  }
  return state;
}

Draw TrainingLoop::draw_after(const TrainState& state, const Runs& runs) const {
  Draw out = draw(state, runs);
  // Each run has a place of its own in the order of minibatches.
  const auto for_validation = [](Draw& draw, const Key& run) {
    draw.step += static_cast<std::int64_t>(run.bits() & 0x7fffffff);
    draw.key = draw.key.fold("valid");
    draw.order = 0;
  };
  for_validation(out, runs.first());
  if (!out.groups) return out;
  std::vector<Draw> each = *out.groups;
  for (std::size_t i = 0; i < each.size(); ++i) {
    for_validation(each[i], runs.groups()[i].run);
  }
  out.groups = std::make_shared<std::vector<Draw>>(std::move(each));
  return out;
}

Tensor TrainingLoop::loss_sum(const Tensor& before, const TrainState& state,
                              const ParameterSet& hyper,
                              const Runs& runs) const {
  const Tensor loss =
      valid_losses(*problem_, state.weights, hyper, draw_after(state, runs))
          .to(before.scalar_type());
  return state.step % summed_ == 1 % summed_ ? loss : before + loss;
}

TrainState TrainingLoop::moved(const TrainState& state,
                               const ParameterSet& gradient,
                               const ParameterSet& hyper,
                               const ParameterSet& natural,
                               const Runs& runs) const {
  if (!sums_losses()) return by_rule(state, gradient, natural, runs);
  TrainState own = state;
  own.slots = part(state.slots, 0, state.slots.size() - 1);
  TrainState next = by_rule(own, gradient, natural, runs);
  next.slots.insert(kLossSum,
                    loss_sum(state.slots.tensors().back(), next, hyper, runs));
  return next;
}

TrainState TrainingLoop::by_rule(const TrainState& state,
                                 const ParameterSet& gradient,
                                 const ParameterSet& natural,
                                 const Runs& runs) const {
  const bool noisy = optimizer_->draws_noise();
  const auto noise_of = [](const Key& run, std::int64_t step) {
    return run.fold("rule").fold(static_cast<std::uint64_t>(step));
  };
  const bool alike = !runs.staggered() ||
                     optimizer_->same_at_every_step(natural, state.particles);
  if (noisy ? runs.groups().size() == 1 : alike) {
    TrainState at = state;
    if (noisy) at.noise = noise_of(runs.first(), state.step);
    return optimizer_->step(at, gradient, natural);
  }
  const auto groups = static_cast<std::int64_t>(runs.groups().size());
  const std::int64_t size = state.particles / groups;
  std::vector<ParameterSet> weights, slots;
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto own = [&](const ParameterSet& all) {
      return particles_of(all, g * size, size);
    };
    const Runs::Group& group = runs.groups()[static_cast<std::size_t>(g)];
    TrainState at{own(state.weights), own(state.slots),
                  state.step + group.ahead, size};
    if (noisy) at.noise = noise_of(group.run, at.step);
    const TrainState next = optimizer_->step(at, own(gradient), own(natural));
    weights.push_back(next.weights);
    slots.push_back(next.slots);
  }
  return {concatenated(weights), concatenated(slots), state.step + 1,
          state.particles};
}

std::string TrainingLoop::name(const TrainState& state, std::int64_t count,
                               const Key& run) const {
  return fmt::format("{} {} {} {}", state.step, count, state.particles,
                     run.bits());
}

TrainState TrainingLoop::steps(TrainState state, std::int64_t count,
                               const ParameterSet& hyper, const Runs& runs,
                               Tape tape) const {
  if (!replays_ || tape == Tape::kOn || runs.groups().size() > 1) {
    return stepwise(std::move(state), count, hyper, runs, tape);
  }
  const Key& run = runs.first();
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
                                          const Runs& runs, Tape tape) const {
  return nestgrad::train_gradient(*problem_, state.weights, hyper,
                                  draw(state, runs), tape);
}

}  // namespace nestgrad
