#include "core/flattened.h"

#include <set>

namespace nestgrad {

Flattened::Flattened(std::shared_ptr<const BilevelProblem> problem)
    : ProblemDecorator(std::move(problem)),
      // Expanded from one number, so the layout needs no memory.
      layout_(this->problem()
                  .initial_weights(this->problem().initial_hyper(), Key())
                  .map([](const Tensor& t) {
                    return t.detach().new_empty({}).expand(t.sizes());
                  })) {}

ParameterSet Flattened::initial_weights(const ParameterSet& hyper,
                                        const Key& key) const {
  return {{"weights", problem().initial_weights(hyper, key).flatten()}};
}

ProblemAbilities Flattened::abilities() const {
  ProblemAbilities out = problem().abilities();
  out.particles = out.groups = false;
  return out;
}

ParameterSet Flattened::train_gradient(const ParameterSet& weights,
                                       const ParameterSet& hyper,
                                       const Draw& draw) const {
  return {{"weights",
           ProblemDecorator::train_gradient(weights, hyper, draw).flatten()}};
}

ParameterSet Flattened::inner_weights(const ParameterSet& weights) const {
  return layout_.unflatten(weights.at("weights"));
}

TrainingLoop flattened(const TrainingLoop& loop) {
  if (loop.optimizer()->sees_tensors()) return loop;
  // Settings of the rule may have one number per part of the weights.
  const BilevelProblem& problem = *loop.problem();
  const ParameterSet natural = problem.natural(problem.initial_hyper());
  std::set<std::string> own;
  for (const Hyperparameter& h : problem.hyperparameters()) own.insert(h.name);
  for (std::size_t i = 0; i < natural.size(); ++i) {
    const bool of_rule = own.count(natural.name(i)) == 0;
    if (of_rule && natural.tensors()[i].dim() > 1) return loop;
  }
  return loop.of(std::make_shared<Flattened>(loop.problem()));
}

}  // namespace nestgrad
