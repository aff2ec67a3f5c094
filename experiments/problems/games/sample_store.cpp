#include "experiments/problems/games/sample_store.h"

#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"

namespace nestgrad {

SampleStore::SampleStore(const Chain& chain, const Optimizer& rule,
                         const ParameterSet& start,
                         const std::function<Tensor(const ParameterSet& weights,
                                                    std::int64_t step)>& loss,
                         const Key& key)
    : like_(start) {
  TrainState state{start, rule.slots(start)};
  std::vector<Tensor> samples;
  const std::int64_t steps = chain.burn_in + chain.samples * chain.thin;
  while (state.step < steps) {
    const ParameterSet w = state.weights.leaves();
    state.noise = key.fold(static_cast<std::uint64_t>(state.step));
    state = rule.step(state, gradient(loss(w, state.step), w), {}).detach();
    const std::int64_t since = state.step - chain.burn_in;
    if (since > 0 && since % chain.thin == 0) {
      samples.push_back(state.weights.flatten());
    }
  }
  const Tensor all = at::stack(samples);
  mean_ = all.mean(0);
  // Numbers that do not vary stay what they are.
  const Tensor spread = all.std(0, /*unbiased=*/false);
  deviation_ = at::where(spread > 0, spread, at::ones_like(spread));
  samples_ = (all - mean_) / deviation_;
}

ParameterSet SampleStore::weights(const Tensor& standardized) const {
  return like_.unflatten(mean_ + deviation_ * standardized);
}

}  // namespace nestgrad
