#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/model.h"
#include "core/problem.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// Base of the problems whose weights are those of a network that tells classes
/// apart, and what all of those have in common: data, a model, cross entropy, a
/// penalty on the weights, losses and accuracies for people.
class NetworkProblem : public BilevelProblem {
 public:
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override;

 protected:
  /// Reads "data" and "model" of the problem's section. Hyperparameters that
  /// layers name must not be called like one of `of_loss`, those of the loss.
  NetworkProblem(const Config& config, const ProblemContext& context,
                 const std::vector<std::string>& of_loss);

  /// A schema with these two keys.
  static Schema network_schema(std::string meaning);

  /// `of_loss`, weight_decay and those that layers of the model name.
  std::vector<Hyperparameter> with_those_of_the_network(
      std::vector<Hyperparameter> of_loss) const;

  /// `loss` and what does not depend on the outputs: the penalties of layers
  /// and, where there is one, weight_decay w^2 / 2.
  Tensor with_penalties(Tensor loss, const std::vector<Tensor>& of_layers,
                        const ParameterSet& weights, const ParameterSet& hyper,
                        const Draw& draw) const;

  /// Of outputs [..., classes] and targets [...].
  static Tensor cross_entropy(const Tensor& outputs, const Tensor& targets,
                              at::Reduction::Reduction reduction);
  static Tensor cross_entropy(const Tensor& outputs, const Tensor& targets) {
    return cross_entropy(outputs, targets, at::Reduction::Mean);
  }

  /// What the losses are means of. The default: cross_entropy().
  virtual Tensor fit(const Tensor& outputs, const Tensor& targets,
                     at::Reduction::Reduction reduction) const {
    return cross_entropy(outputs, targets, reduction);
  }
  Tensor fit(const Tensor& outputs, const Tensor& targets) const {
    return fit(outputs, targets, at::Reduction::Mean);
  }

  /// fit() of each example by itself, [batch] or [particles, batch].
  Tensor fit_of_examples(const Tensor& outputs, const Tensor& targets,
                         std::int64_t particles) const;

  /// Adds name_loss and name_accuracy: the means over `data`, if there is any.
  void evaluate_on(const std::string& name, const Dataset& data,
                   const ParameterSet& weights, const ParameterSet& hyper,
                   Metrics& metrics) const;

  Splits data_;
  std::unique_ptr<Model> model_;
  ParameterSet layout_;  // names, shapes and type of the weights
};

}  // namespace nestgrad
