#pragma once

#include <cstdint>

#include "core/row_response.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// Everything that is random about one evaluation of a loss, and the form that
/// the weights and hyperparameters have in it. The same draw gives the same
/// loss, always.
struct Draw {
  std::int64_t step = 0;  ///< selects the minibatch
  Key key;                ///< selects dropout masks, augmentations, ...

  /// If not 0, the number of particles: runs of training that see the same
  /// minibatch and noise. Each tensor of weights and hyperparameters then has
  /// one more axis, its first, for the particles, and a loss has one number for
  /// each of them, [particles]. Only for problems that can do this, see
  /// BilevelProblem, and core/particles.h.
  std::int64_t particles = 0;

  /// If not null, each example of the minibatch has weights of its own: those
  /// that the loss is given, plus this response. Each example then has its own
  /// hyperparameters as well: their tensors have one more axis, the first, for
  /// the examples. Only for problems that can do this, see BilevelProblem. With
  /// RowResponse::first_order the outputs of a model are dual numbers, and the
  /// loss is that of to_first_order(outputs).
  const RowResponse* response = nullptr;
};

}  // namespace nestgrad
