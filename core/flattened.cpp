#include "core/flattened.h"

namespace nestgrad {

Flattened::Flattened(std::shared_ptr<const BilevelProblem> problem)
    : ProblemDecorator(std::move(problem)),
      // One number stands for all of a tensor: the layout costs no memory.
      layout_(this->problem()
                  .initial_weights(this->problem().initial_hyper(), Key())
                  .map([](const Tensor& t) {
                    return t.detach().new_empty({}).expand(t.sizes());
                  })) {}

ParameterSet Flattened::initial_weights(const ParameterSet& hyper,
                                        const Key& key) const {
  return {{"weights", problem().initial_weights(hyper, key).flatten()}};
}

ParameterSet Flattened::inner_weights(const ParameterSet& weights) const {
  return layout_.unflatten(weights.at("weights"));
}

TrainingLoop flattened(const TrainingLoop& loop) {
  return {std::make_shared<Flattened>(loop.problem()), loop.optimizer()};
}

}  // namespace nestgrad
