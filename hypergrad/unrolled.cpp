#include <ATen/ATen.h>

#include "core/autodiff.h"
#include "hypergrad/window_estimator.h"

namespace nestgrad {
namespace {

/// Backpropagation through a window of inner training (Domke 2012; Maclaurin,
/// Duvenaud and Adams 2015):
///
///   g = d L(w_T(h), h) / dh,   w_{t+1} = step(w_t, h),   w_0 constant
///
/// Exact for what it differentiates: the window. In cold start that is all of
/// training. Memory grows in proportion to the window.
class Unrolled : public WindowEstimator {
 public:
  Unrolled(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop) {}

  static Schema schema() {
    return Schema("Backpropagation through a window of inner training.");
  }

  Footprint footprint() const override {
    const std::int64_t window = run_.truncation().window;
    return {window, window, window, 0};
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    const ParameterSet h = hyper.leaves();
    const TrainState end = run_.unroll(h, Tape::kOn);
    run_.finish_turn(end);
    const Tensor loss =
        problem().valid_loss(end.weights, h, run_.draw("valid"));
    return {gradient(loss, h), loss.item<double>()};
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "unrolled", Unrolled)

}  // namespace
}  // namespace nestgrad
