#include <ATen/ATen.h>

#include "hypergrad/hyper_limit.h"
#include "hypergrad/resolution.h"
#include "hypergrad/unrolled/window_estimator.h"

namespace nestgrad {
namespace {

/// Central differences of a window of inner training, one coordinate i of the
/// hyperparameters at a time:
///
///   g_i = (L(w_T(h + e_i), h + e_i) - L(w_T(h - e_i), h - e_i)) / (2 |e_i|)
///
/// Slow (two windows per number) and accurate to O(|e_i|^2) and rounding: other
/// estimators are judged by it. Use it in float64.
class FiniteDifference : public WindowEstimator {
 public:
  FiniteDifference(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop),
        difference_(config.number("difference")),
        limit_(config) {
    // Twice their rounding is enough, since the distance is measured.
    const ParameterSet hyper = problem().initial_hyper();
    require_resolved(config, "difference", 0.2 * largest_of(hyper), hyper,
                     "hyperparameters");
  }

  static Schema schema() {
    return HyperLimit::add_key(
        Schema(
            "Central differences of a window of training: slow and accurate.")
            .also(WindowLoss::key())
            .number("difference", 1e-5,
                    "How far each hyperparameter is moved, in the coordinates "
                    "in which it is tuned.",
                    above(0)),
        1000, "; each costs two windows of training per estimate.");
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    limit_.check(hyper);
    SingleRun::begin(hyper, key);
  }

  bool differentiates_training() const override { return false; }
  bool takes_differences() const override { return true; }

  Footprint footprint() const override {
    const std::int64_t steps =
        run_.truncation().window * (2 * problem().initial_hyper().numel() + 1);
    return {steps, 0, 0, 0};
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    const TrainState end = run_.unroll(hyper, Tape::kOff);
    run_.finish_turn(end);
    const Objective loss = claim();

    const Tensor h = hyper.flatten();
    const Tensor gradient = at::zeros_like(h);
    for (std::int64_t i = 0; i < h.numel(); ++i) {
      Tensor up = h.clone(), down = h.clone();
      up[i] += difference_;
      down[i] -= difference_;
      // The distance as the floating-point type has it.
      const double distance = (up[i] - down[i]).item<double>();
      gradient[i] =
          (loss(hyper.unflatten(up)) - loss(hyper.unflatten(down))) / distance;
    }
    return {hyper.unflatten(gradient), value(end, hyper)};
  }

  double difference_;
  HyperLimit limit_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "finite_difference", FiniteDifference)

}  // namespace
}  // namespace nestgrad
