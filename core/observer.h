#pragma once

#include <cstdint>
#include <functional>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The state of a run after one outer step. What is pointed to lives as long as
/// the call.
struct OuterStep {
  std::int64_t step = 0;   ///< 1 after the first
  std::int64_t steps = 0;  ///< how many there will be
  double objective = 0;    ///< validation loss that the estimate belongs to
  double gradient_norm = 0;
  double seconds = 0;               ///< wall time since the run began
  double estimate_seconds = 0;      ///< of these, for the estimate of this step
  std::int64_t estimate_bytes = 0;  ///< of tensors, at the peak of the
                                    ///< estimate; 0 if no MemoryMeter runs
  Status status = Status::kOk;
  const std::string* trouble = nullptr;   ///< a sentence, unless status is kOk
  const ParameterSet* hyper = nullptr;    ///< hyperparameters after the step
  const ParameterSet* natural = nullptr;  ///< the same in their own units
  const Metrics* metrics = nullptr;       ///< of the estimate
  const Json* used = nullptr;  ///< the settings that the method had to find
                               ///< itself, as a part of its section; may be
                               ///< null

  /// What the problem says about the present weights (accuracy, ...). Costs a
  /// pass over the data, so ask only when it is needed.
  std::function<Metrics()> evaluate;
};

/// Watches a run; cannot change it, but may end it.
class Observer {
 public:
  enum class Verdict { kContinue, kStop };

  virtual ~Observer() = default;
  virtual Verdict on_step(const OuterStep& step) = 0;

  /// The estimate of this step cannot be followed (NaN, say), and the run ends:
  /// `hyper` is what it was for. May be ignored.
  virtual void on_failure(const OuterStep& step) { (void)step; }
};

}  // namespace nestgrad
