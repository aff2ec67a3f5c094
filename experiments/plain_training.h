#pragma once

#include "hypergrad/single_run.h"

namespace nestgrad {

/// Training and nothing else, for an experiment that tunes nothing: the
/// baseline of those that do, at the same number of training steps.
class PlainTraining : public SingleRun {
 public:
  /// `config` is the section of any estimator: it says how training is cut.
  PlainTraining(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop) {}

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    return {hyper.zeros(), valid_loss(run_.state().weights, hyper)};
  }

  bool differentiates_training() const override { return false; }

  Footprint footprint() const override {
    return {run_.truncation().window, 0, 0, 0};
  }
};

}  // namespace nestgrad
