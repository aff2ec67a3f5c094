#include "core/optimizer.h"

namespace nestgrad {

TrainState TrainState::detach() const {
  return {weights.detach(), slots.detach(), step};
}

ParameterSet TrainState::joined() const {
  ParameterSet out = weights;
  out.append("slots/", slots);
  return out;
}

TrainState TrainState::with(const ParameterSet& joined) const {
  const std::vector<Tensor>& all = joined.tensors();
  const auto cut = all.begin() + static_cast<std::ptrdiff_t>(weights.size());
  return {weights.with({all.begin(), cut}), slots.with({cut, all.end()}), step};
}

void TrainState::persist(Archive& archive) {
  archive("weights", weights);
  archive("slots", slots);
  archive("step", step);
}

TrainState Optimizer::step(const TrainState& state,
                           const ParameterSet& gradient,
                           const ParameterSet& natural) const {
  const auto as = [](const Tensor& next, const Tensor& before) {
    return next.scalar_type() == before.scalar_type()
               ? next
               : next.to(before.scalar_type());
  };
  // A setting is a scalar tensor in double precision, which turns a weight that
  // is a scalar tensor, too, into a double.
  const TrainState next = update(state, gradient, natural);
  return {next.weights.zip(state.weights, as), next.slots.zip(state.slots, as),
          next.step};
}

}  // namespace nestgrad
