#pragma once

#include <cstdint>
#include <functional>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Where weights stand in training.
struct TrainingPosition {
  std::int64_t trained = 0;  ///< training steps that their run has made
  std::int64_t start = 0;    ///< in cold start: which of several it began from
};

/// What an outer step has seen. Step k trains under the hyperparameters that
/// k - 1 moves have led to, makes the estimate there, and then moves them.
/// Everything in this record belongs to the hyperparameters before the move,
/// `next` alone excepted. Step 0 is the start, before any training: it has the
/// same hyperparameters as step 1, and no estimate.
///
/// Pointers are valid during the call.
struct OuterStep {
  std::int64_t step = 0;   ///< 1 for the first estimate; 0: the start
  std::int64_t steps = 0;  ///< total number of outer steps
  bool last = false;       ///< tuning ends here: no step is left, or an
                           ///< observer that was asked before has ended it
  double objective = 0;  ///< validation loss of the estimate; NaN at the start
  double gradient_norm = 0;
  double seconds = 0;               ///< wall time since the run began
  double estimate_seconds = 0;      ///< wall time of this step's estimate
  std::int64_t estimate_bytes = 0;  ///< peak of tensor memory during the
                                    ///< estimate; 0 if no MemoryMeter runs
  Status status = Status::kOk;
  const std::string* trouble = nullptr;   ///< a sentence, unless status is kOk
  const ParameterSet* hyper = nullptr;    ///< hyperparameters of the estimate
  const ParameterSet* natural = nullptr;  ///< the same in their own units
  const ParameterSet* next = nullptr;     ///< hyperparameters after the move;
                                          ///< `hyper` if there is no move
  const Metrics* metrics = nullptr;       ///< of the estimate
  const Json* used = nullptr;  ///< the settings that the method had to find
                               ///< itself, as a part of its section; may be
                               ///< null

  TrainingPosition position;  ///< where the estimate was made

  /// The weights that training under `hyper` has led to: deployed, off tape. In
  /// cold start from several starts, it is training from the first one.
  std::function<ParameterSet()> weights;

  /// The problem's metrics (accuracy, ...) of `weights` under `hyper`, and
  /// those that the loop was given besides. The first call takes a pass over
  /// the data or longer, so call it only when needed.
  std::function<Metrics()> evaluate;
};

/// Watches a run. It cannot change the run, but may end it. Observers are asked
/// in the order in which they were added.
class Observer {
 public:
  enum class Verdict { kContinue, kStop };

  virtual ~Observer() = default;

  /// Called once, before the first outer step of a run; not when a run is
  /// resumed. May be ignored.
  virtual void on_start(const OuterStep& start) { (void)start; }

  virtual Verdict on_step(const OuterStep& step) = 0;

  /// Called when this step's estimate is unusable (NaN, say) and the run ends.
  /// May be ignored.
  virtual void on_failure(const OuterStep& step) { (void)step; }
};

}  // namespace nestgrad
