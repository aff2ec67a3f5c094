#include "core/optimizer.h"

#include "core/particles.h"
#include "core/platform/error.h"
#include "core/tensor/part.h"

namespace nestgrad {

TrainState TrainState::detach() const {
  return {weights.detach(), slots.detach(), step, particles};
}

ParameterSet TrainState::joined() const {
  ParameterSet out = weights;
  out.append("slots/", slots);
  return out;
}

TrainState TrainState::with(const ParameterSet& joined) const {
  return {part(joined, 0, weights), part(joined, weights.size(), slots), step,
          particles};
}

void TrainState::persist(Archive& archive) {
  archive("weights", weights);
  archive("slots", slots);
  archive("step", step);
  archive("particles", particles);
}

TrainState Optimizer::step(const TrainState& state,
                           const ParameterSet& gradient,
                           const ParameterSet& natural) const {
  if (state.particles > 0 && !vectorizes()) {
    std::vector<ParameterSet> weights, slots;
    for (std::int64_t i = 0; i < state.particles; ++i) {
      const TrainState next = step(
          {particle(state.weights, i), particle(state.slots, i), state.step,
           /*particles=*/0, state.noise},
          particle(gradient, i), particle(natural, i));
      weights.push_back(next.weights);
      slots.push_back(next.slots);
    }
    return {stacked(weights), stacked(slots), state.step + 1, state.particles};
  }
  require(!draws_noise() || state.noise,
          "the rule draws noise, which there is for the weights of a training "
          "run only");
  const auto as = [](const Tensor& next, const Tensor& before) {
    return next.scalar_type() == before.scalar_type()
               ? next
               : next.to(before.scalar_type());
  };
  // A setting is a scalar tensor in double precision, which would turn a weight
  // that is a scalar tensor into a double.
  const TrainState next = update(state, gradient, natural);
  return {next.weights.zip(state.weights, as), next.slots.zip(state.slots, as),
          next.step, state.particles};
}

}  // namespace nestgrad
