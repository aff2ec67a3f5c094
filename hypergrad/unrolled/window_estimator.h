#pragma once

#include "core/flattened.h"
#include "hypergrad/single_run.h"

namespace nestgrad {

/// Base of the methods that differentiate a window of training:
///
///   g = d L(w_T(h), h) / dh,   w_{t+1} = step(w_t, h)
///
/// They compute the same numbers and differ in time and memory. They all see
/// the weights as one long vector.
class WindowEstimator : public SingleRun {
 public:
  Estimate estimate(const ParameterSet& hyper) final {
    before_ = run_;
    return differentiate(hyper);
  }

  /// h -> L(w_T(h), h), the window trained again.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      return valid_loss(before_.unroll(hyper.detach(), Tape::kOff).weights,
                        hyper);
    };
  }

 protected:
  WindowEstimator(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, flattened(loop)), before_(run_) {}

  /// The estimate for the next window of run_, which is then at its end.
  virtual Estimate differentiate(const ParameterSet& hyper) = 0;

  InnerRun before_;  // run_ as it was before the last estimate
};

}  // namespace nestgrad
