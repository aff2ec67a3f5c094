#pragma once

#include "hypergrad/single_run.h"

namespace nestgrad {

/// Training and nothing else, for an experiment that tunes nothing. It makes as
/// many training steps as an experiment that tunes, a warm-up included, and so
/// is the baseline of such an experiment.
class PlainTraining : public SingleRun {
 public:
  /// `config`: the section of any estimator, for its windows.
  PlainTraining(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop), warm_up_(read_warm_up(config)) {}

  Estimate estimate(const ParameterSet& hyper) override {
    if (run_.state().step == 0) train_windows(warm_up_, hyper);
    run_.advance(hyper);
    return {hyper.zeros(), valid_loss(run_.state().weights, hyper)};
  }

  bool differentiates_training() const override { return false; }
  std::int64_t warm_up() const override { return warm_up_; }

  Footprint footprint() const override {
    return {run_.truncation().window, 0, 0, 0};
  }

 private:
  std::int64_t warm_up_;
};

}  // namespace nestgrad
