#pragma once

#include <cstdint>
#include <functional>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The state of a run after one outer step. Pointers are valid during the call.
struct OuterStep {
  std::int64_t step = 0;   ///< 1 after the first
  std::int64_t steps = 0;  ///< total number of outer steps
  double objective = 0;    ///< validation loss that belongs to the estimate
  double gradient_norm = 0;
  double seconds = 0;               ///< wall time since the run began
  double estimate_seconds = 0;      ///< wall time of this step's estimate
  std::int64_t estimate_bytes = 0;  ///< peak of tensor memory during the
                                    ///< estimate; 0 if no MemoryMeter runs
  Status status = Status::kOk;
  const std::string* trouble = nullptr;   ///< a sentence, unless status is kOk
  const ParameterSet* hyper = nullptr;    ///< hyperparameters after the step
  const ParameterSet* natural = nullptr;  ///< the same in their own units
  const Metrics* metrics = nullptr;       ///< of the estimate
  const Json* used = nullptr;  ///< the settings that the method had to find
                               ///< itself, as a part of its section; may be
                               ///< null

  /// The problem's metrics (accuracy, ...) of the present weights. Takes a pass
  /// over the data, so call it only when needed.
  std::function<Metrics()> evaluate;
};

/// Watches a run. It cannot change the run, but may end it.
class Observer {
 public:
  enum class Verdict { kContinue, kStop };

  virtual ~Observer() = default;
  virtual Verdict on_step(const OuterStep& step) = 0;

  /// Called when this step's estimate is unusable (NaN, say) and the run ends.
  /// `hyper` are the hyperparameters of the estimate. May be ignored.
  virtual void on_failure(const OuterStep& step) { (void)step; }
};

}  // namespace nestgrad
