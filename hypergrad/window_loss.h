#pragma once

#include "core/inner_run.h"
#include "core/training_loop.h"

namespace nestgrad {

/// The number for a window of n training steps that methods differentiate which
/// unroll training (key "objective"):
///
///   last   L(w_n, h), the validation loss at its end
///   sum    L(w_1, h) + ... + L(w_n, h), the losses after its steps
///   mean   the sum / n
///
/// The sum over all windows of a run is what persistent evolution strategies
/// were published for, and the loss of a recurrent network.
class WindowLoss {
 public:
  /// The key of an estimator's section.
  static Schema key();

  /// Reads it. A section without the key means the loss at the end.
  explicit WindowLoss(const Config& section);

  bool at_end() const { return form_ == Form::kLast; }

  /// The loop whose states the number can be told from.
  TrainingLoop loop(const TrainingLoop& loop, const Truncation& cut) const;

  /// The number for a window of `steps` steps that has led to `end`: a scalar,
  /// or [particles] if `end` has particles. A function of `end` and `hyper`, on
  /// their tapes. `draw` is that of the loss at the end.
  Tensor operator()(const BilevelProblem& problem, const TrainState& end,
                    const ParameterSet& hyper, const Draw& draw,
                    std::int64_t steps) const;

 private:
  enum class Form { kLast, kMean, kSum };
  Form form_;
};

}  // namespace nestgrad
