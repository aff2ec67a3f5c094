#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/nn/model.h"
#include "core/problem.h"
#include "experiments/data/data.h"
#include "experiments/problems/loss.h"
#include "experiments/problems/scores.h"

namespace nestgrad {

/// Base of the problems whose weights are those of a network, and what all of
/// them have in common: data, a model, a loss, a penalty on the weights,
/// metrics for people.
class NetworkProblem : public BilevelProblem {
 public:
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override;

  /// A SavedNetwork.
  Json network(const ParameterSet& hyper) const override;

  std::int64_t example_count(const std::string& part) const override;
  KnownExamples examples(const std::string& part,
                         const Tensor& rows) const override;
  Tensor example_losses(const std::string& part, const Tensor& rows,
                        const ParameterSet& weights,
                        const ParameterSet& hyper) const override;

 protected:
  /// Reads "data" and "model" of the problem's section and, if its schema has
  /// them, the keys of Loss; otherwise the loss is cross entropy. A schema may
  /// also have the key "targets": with "inputs", the network is to give its
  /// inputs again.
  /// Hyperparameters that layers name must not be called like one of `of_loss`,
  /// those of the loss. Targets that are not of `targets` are refused.
  enum class Targets { kAny, kClasses };
  NetworkProblem(const Config& config, const ProblemContext& context,
                 const std::vector<std::string>& of_loss,
                 Targets targets = Targets::kAny);

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

  /// What the losses are means of, over examples or time steps; see Loss.
  Tensor fit(const Tensor& outputs, const Tensor& targets) const {
    return loss_(outputs, targets, at::Reduction::Mean);
  }

  /// fit() of each example by itself, [batch] or [particles, batch].
  Tensor fit_of_examples(const Tensor& outputs, const Tensor& targets,
                         std::int64_t particles) const;

  /// Adds name_loss, the mean over `data`, and the scores ("name_accuracy"), if
  /// there are any examples. `of_classes`: the factor of an example's loss for
  /// each class; undefined for 1.
  void evaluate_on(const std::string& name, const Dataset& data,
                   const ParameterSet& weights, const ParameterSet& hyper,
                   Metrics& metrics, const Tensor& of_classes = {}) const;

  /// The examples of "train", "valid" or "test".
  const Dataset& part(const std::string& name) const;

  Splits data_;
  Loss loss_;
  Scores scores_;  // accuracy, unless a subclass reads others
  std::unique_ptr<Model> model_;
  ParameterSet layout_;  // names, shapes and type of the weights
};

}  // namespace nestgrad
