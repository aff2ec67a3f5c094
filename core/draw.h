#pragma once

#include <cstdint>

#include "core/row_response.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// Everything that is random about one evaluation of a loss: which minibatch,
/// and which noise. The same draw gives the same loss, always.
struct Draw {
  std::int64_t step = 0;  ///< selects the minibatch
  Key key;                ///< selects dropout masks, augmentations, ...

  /// If there are some, weights and hyperparameters are those of so many
  /// particles, runs of training that see the same minibatch and noise: each
  /// tensor has one more axis, its first, and a loss has one number for each,
  /// [particles]. Only for problems that say so, ProblemAbilities::particles;
  /// see core/particles.h.
  std::int64_t particles = 0;

  // What follows is for methods that move hyperparameters and weights inside
  // of a minibatch (self-tuning networks); see
  // ProblemAbilities::responding_examples.

  /// If there is one, every example has weights of its own, which this adds to
  /// those that the loss is given, and hyperparameters of its own: each of
  /// their tensors has one more dimension, its first, for the examples.
  const RowResponse* response = nullptr;

  /// Whether the loss is to be taken of its model's outputs to first order:
  /// these are dual numbers then, and to_first_order() makes plain ones of
  /// them.
  bool linear = false;
};

}  // namespace nestgrad
