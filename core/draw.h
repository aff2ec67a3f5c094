#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/row_response.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// A part of a minibatch: examples that follow each other.
struct BatchPart {
  std::int64_t first = 0;
  std::int64_t count = 0;  ///< 0: the whole minibatch

  bool is_whole() const { return count == 0; }

  /// Where the noise of these examples, `numbers` numbers together, begins in
  /// that of the whole minibatch.
  std::int64_t first_number(std::int64_t numbers) const {
    return is_whole() ? 0 : numbers / count * first;
  }
};

/// The randomness of one evaluation of a loss, and the form that weights and
/// hyperparameters have in it. The same draw always gives the same loss.
struct Draw {
  std::int64_t step = 0;  ///< selects the minibatch
  Key key;                ///< selects dropout masks, augmentations, ...

  /// If positive, weights and hyperparameters are those of this many particles:
  /// training runs that see the same minibatch and noise. Each tensor then has
  /// one more axis, the first, and a loss has one number per particle,
  /// [particles]. Only for problems with ProblemAbilities::particles; see
  /// core/particles.h.
  std::int64_t particles = 0;

  /// If not null, each example of the minibatch has its own weights, the
  /// weights given to the loss plus this response, and its own hyperparameters:
  /// their tensors have one more axis, the first, for the examples. Only for
  /// problems with ProblemAbilities::responding_examples. With
  /// RowResponse::first_order the outputs of a model are dual numbers, and the
  /// loss is that of to_first_order(outputs).
  const RowResponse* response = nullptr;

  /// Selects the order of the minibatches that `step` counts through: 0 is the
  /// order that is common to all runs; see Minibatches. A problem without
  /// minibatches ignores it.
  std::uint64_t order = 0;

  /// If not null, the particles belong to groups of equal size, one group after
  /// the other, and each group has a draw of its own: step, key, order and the
  /// number of its particles. Those above are then of the first group, but for
  /// the number of all particles. Only for problems with
  /// ProblemAbilities::groups.
  std::shared_ptr<const std::vector<Draw>> groups = nullptr;

  /// If this is not the whole minibatch, losses are those of these examples
  /// alone, each with the noise that it has in the whole one. Only for problems
  /// with ProblemAbilities::divisible_examples.
  BatchPart part = {};

  /// The training loss is that of all training examples, not of a minibatch.
  /// Only for problems with BilevelProblem::examples().
  bool all_examples = false;

  /// Whether this rank evaluates the whole minibatch by itself, without the
  /// others: for what only one rank asks for. See DataParallel.
  bool on_this_rank = false;
};

}  // namespace nestgrad
