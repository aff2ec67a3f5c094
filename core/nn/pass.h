#pragma once

#include <cstdint>
#include <vector>

#include "core/draw.h"
#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// What the first axis of hyperparameter tensors counts: nothing (the whole
/// batch has one set of hyperparameters), particles, or examples.
enum class HyperAxis { kNone, kParticles, kExamples };

/// How a network is run, apart from its weights.
struct Pass {
  /// Whether the noise that belongs to training (dropout) is on.
  bool training = false;

  /// Where this noise is drawn from.
  Key key = Key();

  /// Hyperparameters that layers name ("rate": "$dropout"), in their own units.
  const ParameterSet* hyper = nullptr;
  std::int64_t step = 0;  ///< of training, for schedules
  HyperAxis hyper_axis = HyperAxis::kNone;

  /// The examples of this pass.
  BatchPart part = {};

  /// Where penalize() puts its results. If null, they are dropped.
  std::vector<Tensor>* penalties = nullptr;

  /// Training, with the key, the step, the examples and the form of
  /// hyperparameters of `draw`. `hyper` and `penalties` must outlive the pass.
  static Pass training_as(const Draw& draw, const ParameterSet& hyper,
                          std::vector<Tensor>* penalties = nullptr);

  /// Evaluation, without noise. `hyper` must outlive the pass.
  static Pass evaluation_as(const Draw& draw, const ParameterSet& hyper);

  /// The same pass for layer i of several, with noise of its own.
  Pass of_layer(std::size_t i) const;

  /// Noise of the shape of x, [batch..., ...], equal for all particles: uniform
  /// in [0, 1), or standard normal.
  Tensor uniform(const Tensor& x) const;
  Tensor normal(const Tensor& x) const;

  /// Adds the mean over the examples to the training loss. With particles each
  /// has its own mean and its own loss. `penalty`: [batch...]
  void penalize(const Tensor& penalty) const;

 private:
  Tensor of_one_particle(const Tensor& x) const;
};

}  // namespace nestgrad
