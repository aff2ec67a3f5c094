#pragma once

#include <cstdint>

#include "core/row_response.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// The randomness of one evaluation of a loss: the minibatch and the noise. The
/// same draw always gives the same loss.
struct Draw {
  std::int64_t step = 0;  ///< selects the minibatch
  Key key;                ///< selects dropout masks, augmentations, ...

  /// If positive, weights and hyperparameters are those of this many particles:
  /// training runs that see the same minibatch and noise. Each tensor then has
  /// one more axis, the first, and a loss has one number per particle,
  /// [particles]. Only for problems with ProblemAbilities::particles; see
  /// core/particles.h.
  std::int64_t particles = 0;

  // The following fields are for methods that vary hyperparameters and weights
  // within a minibatch (self-tuning networks); see
  // ProblemAbilities::responding_examples.

  /// If not null, every example has its own weights, the weights given to the
  /// loss plus this response, and its own hyperparameters: each of their
  /// tensors has one more axis, the first, for the examples.
  const RowResponse* response = nullptr;

  /// Whether the loss is to be linearised in its model's outputs. The outputs
  /// are then dual numbers, which to_first_order() turns into plain tensors.
  bool linear = false;
};

}  // namespace nestgrad
