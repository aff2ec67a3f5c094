#pragma once

#include "hypergrad/single_run.h"

namespace nestgrad {

/// Training without tuning: the baseline for experiments that tune, at the same
/// number of training steps, including a warm-up.
class PlainTraining : public SingleRun {
 public:
  /// `config`: the section of any estimator, for its windows.
  PlainTraining(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        warm_up_(config.has("warm_up") ? config.integer("warm_up") : 0) {}

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
