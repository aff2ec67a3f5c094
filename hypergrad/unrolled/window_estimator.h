#pragma once

#include "core/flattened.h"
#include "hypergrad/single_run.h"
#include "hypergrad/window_loss.h"

namespace nestgrad {

/// Base of the methods that differentiate a window of training:
///
///   g = d L(w_T(h), h) / dh,   w_{t+1} = step(w_t, h)
///
/// or, in the place of L(w_T), another WindowLoss. They compute the same
/// numbers and differ in time and memory. They all see the weights as one long
/// vector.
class WindowEstimator : public SingleRun {
 public:
  Estimate estimate(const ParameterSet& hyper) final {
    before_ = run_;
    return differentiate(hyper);
  }

  /// h -> L(w_T(h), h), the window trained again.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      return value(before_.unroll(hyper.detach(), Tape::kOff), hyper);
    };
  }

 protected:
  WindowEstimator(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, WindowLoss(config).loop(flattened(loop),
                                                  Truncation::read(config))),
        before_(run_),
        window_loss_(config) {}

  // After run_.finish_turn(), the loss of the window that has led to `end`: ...

  /// ... on the tapes of `end` and `hyper`,
  Tensor loss(const TrainState& end, const ParameterSet& hyper) const {
    return window_loss_(problem(), end, hyper, run_.draw("valid"),
                        before_.length());
  }

  /// ... off every tape,
  double value(const TrainState& end, const ParameterSet& hyper) const {
    return loss(end.detach(), hyper.detach()).item<double>();
  }

  /// ... and its partial derivatives, by end.joined() and `hyper`.
  Partials partials_at(const TrainState& end, const ParameterSet& hyper) const {
    const ParameterSet s = end.joined().leaves(), h = hyper.leaves();
    return partials(loss(end.with(s), h), s, h);
  }

  /// The estimate for the next window of run_, which is then at its end.
  virtual Estimate differentiate(const ParameterSet& hyper) = 0;

  InnerRun before_;  // run_ as it was before the last estimate

 private:
  WindowLoss window_loss_;
};

}  // namespace nestgrad
