#pragma once

#include <memory>
#include <string>

#include "core/nn/bfloat16.h"
#include "core/problem.h"

namespace nestgrad {

/// A network whose weights are a hyperparameter, one long vector, such as one
/// that transforms inputs or one that weights examples.
class LearnedNetwork {
 public:
  /// `model` is the section of its model, `name` the name of the
  /// hyperparameter. `key` determines the initial weights.
  LearnedNetwork(const Config& model, const Shape& input, const Shape& output,
                 std::string name, const Key& key,
                 const ProblemContext& context)
      : model_(make_model(model, input, output, context.bfloat16)),
        initial_(model_->initial_weights(key).to(context.options)),
        name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  /// See ModelAbilities.
  bool separates_examples() const {
    return model_->abilities().separates_examples;
  }

  bool rounds() const { return model_->abilities().rounds; }

  Hyperparameter hyperparameter(std::string meaning) const {
    Hyperparameter out;
    out.name = name_;
    out.meaning = std::move(meaning);
    out.initial = initial_.flatten();
    return out;
  }

  /// The output for a batch, on the tape of the vector in `hyper`.
  Tensor operator()(const ParameterSet& hyper, const Tensor& input) const {
    return model_->forward(initial_.unflatten(hyper.at(name_)), input, Pass());
  }

 private:
  std::unique_ptr<Model> model_;
  ParameterSet initial_;
  std::string name_;
};

}  // namespace nestgrad
