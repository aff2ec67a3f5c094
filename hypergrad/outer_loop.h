#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/observer.h"
#include "hypergrad/estimator.h"
#include "hypergrad/outer_rule.h"

namespace nestgrad {

/// How a run of the outer loop ended.
enum class Termination {
  kFinished,  ///< all steps were made
  kStopped,   ///< an observer ended it
  kDiverged   ///< a loss or a hypergradient became NaN or infinite
};

/// "finished", "stopped", "diverged".
const char* to_string(Termination termination);

struct OuterResult {
  ParameterSet hyper;  ///< the last hyperparameters that were finite
  Termination termination = Termination::kFinished;
  std::string message;     ///< if diverged: which quantity, and at which step
  std::int64_t steps = 0;  ///< outer steps made
};

/// Moves hyperparameters against the estimates of a hypergradient.
///
///   repeat:  estimate = estimator.estimate(hyper)
///            hyper    = optimizer.step(hyper, estimate.gradient)
///            tell the observers of the estimate and the hyperparameters that
///            it was made at
///
/// The loop does not know how weights are trained: the estimator does that.
class OuterLoop {
 public:
  /// `estimator` and `problem` outlive the loop.
  OuterLoop(HypergradientEstimator& estimator, const BilevelProblem& problem,
            OuterRule rule, std::int64_t steps);

  void add(std::shared_ptr<Observer> observer);

  /// Metrics that an evaluation has besides those of the problem.
  void add_metrics(std::function<Metrics(const ParameterSet& hyper)> metrics);

  /// Starts afresh. Called before run(), except after persist() restored.
  void begin(const ParameterSet& hyper, const Key& key);

  /// Makes outer steps until all are made, an observer stops the loop, or an
  /// estimate is not finite. In the last case the hyperparameters stay as they
  /// were before that estimate.
  OuterResult run();

  // The present state: outer steps made, seconds spent, the hyperparameters.
  std::int64_t step() const { return rule_.step(); }
  double seconds() const { return seconds_; }
  const ParameterSet& hyper() const { return rule_.hyper(); }

  void persist(Archive& archive);

 private:
  /// A record of the present step with what weights and evaluation are at
  /// `hyper`, which outlives it.
  OuterStep begun(const ParameterSet& hyper) const;

  /// Tells the observers of the start.
  void tell_start();

  HypergradientEstimator& estimator_;
  const BilevelProblem& problem_;
  OuterRule rule_;
  std::int64_t steps_;
  std::vector<std::shared_ptr<Observer>> observers_;
  std::function<Metrics(const ParameterSet& hyper)> further_;
  double seconds_ = 0;  // spent so far
};

}  // namespace nestgrad
