#include "experiments/problems/sampled/short_training.h"

#include "core/optimizer.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {

ParameterSet trained(const ShortTraining& training, ParameterSet weights,
                     const std::function<Tensor(const ParameterSet& weights,
                                                std::int64_t step)>& loss) {
  if (training.steps == 0) return weights;
  const auto adam =
      OptimizerRegistry::instance().make(Json{{"type", "adam"},
                                              {"lr",
                                               {{"type", "cosine"},
                                                {"initial", training.lr},
                                                {"steps", training.steps}}}});
  TrainState state{weights, adam->slots(weights)};
  while (state.step < training.steps) {
    const ParameterSet w = state.weights.leaves();
    const ParameterSet g = gradient(loss(w, state.step), w);
    state = adam->step(state, g, {}).detach();
  }
  return state.weights;
}

}  // namespace nestgrad
