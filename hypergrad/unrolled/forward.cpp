#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"
#include "hypergrad/adjoint.h"
#include "hypergrad/hyper_limit.h"
#include "hypergrad/unrolled/window_estimator.h"

namespace nestgrad {
namespace {

/// Forward mode (Franceschi, Donini, Frasconi and Pontil 2017, "Forward and
/// reverse gradient-based hyperparameter optimization"; real-time recurrent
/// learning, Williams and Zipser 1989). Beside the state s = (weights, slots)
/// it carries one tangent z_i = ds / dh_i per hyperparameter,
///
///   z_i <- (ds' / ds) z_i + ds' / dh_i,     g_i = dL/dh_i + (dL/ds)' z_i,
///
/// so memory does not depend on the window, and time grows with the number of
/// hyperparameters. Exact for the window. With real_time the tangents go on
/// from window to window: then it is the derivative of all training since the
/// run began, as if the hyperparameters had been constant.
class Forward : public WindowEstimator {
 public:
  Forward(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop),
        real_time_(config.boolean("real_time")),
        limit_(config) {}

  static Schema schema() {
    return HyperLimit::add_key(
        Schema("Forward mode: one tangent per hyperparameter.")
            .also(WindowLoss::key())
            .boolean("real_time", false,
                     "Whether tangents go on from window to window, so that "
                     "every estimate is that of all training since the run "
                     "began."),
        100, "; there is one tangent for each.");
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    limit_.check(hyper);
    WindowEstimator::begin(hyper, key);
    tangents_.clear();
  }

  void persist(Archive& archive) override {
    WindowEstimator::persist(archive);
    auto count = static_cast<std::int64_t>(tangents_.size());
    archive("tangents", count);
    tangents_.resize(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < tangents_.size(); ++i) {
      archive(fmt::format("tangent_{}", i), tangents_[i]);
    }
  }

  /// In real time: h -> L(w_n(h), h) for the n steps of the run so far.
  Objective claim() const override {
    if (!real_time_) return WindowEstimator::claim();
    return [this, steps = steps_, key = key_](const ParameterSet& hyper) {
      return value(trained(steps, hyper, key), hyper);
    };
  }

  Footprint footprint() const override {
    const std::int64_t window = run_.truncation().window;
    const std::int64_t tangents = problem().initial_hyper().numel();
    return {window, window, 1, 2 * tangents};
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    const ParameterSet h = hyper.leaves();
    TrainState state;
    std::tie(state, key_) = run_.window_start(h);
    const Tensor units = at::eye(hyper.numel(), hyper.flatten().options());
    // Tangents of h itself, and those of the state where the window starts.
    std::vector<ParameterSet> of_hyper, tangents;
    for (const Tensor& unit : units.unbind()) {
      of_hyper.push_back(hyper.unflatten(unit));
    }
    if (real_time_ && state.step > 0) {
      tangents = tangents_;
    } else {
      const Pushforward push(state.joined(), h);
      for (const ParameterSet& unit : of_hyper) tangents.push_back(push(unit));
    }

    for (std::int64_t t = run_.length(); t > 0; --t) {
      const TapedSteps step(loop_, state, 1, hyper, key_);
      ParameterSet inputs = step.start.joined();
      inputs.append("hyper/", step.hyper);
      const Pushforward push(step.end.joined(), inputs);
      for (std::size_t i = 0; i < tangents.size(); ++i) {
        tangents[i].append("hyper/", of_hyper[i]);
        tangents[i] = push(tangents[i]);
      }
      state = step.end.detach();
    }
    run_.finish_turn(state);
    if (run_.state().step == state.step) tangents_ = tangents;
    steps_ = state.step;

    const Partials loss = partials_at(state, hyper);
    std::vector<Tensor> by_state;
    for (const ParameterSet& tangent : tangents) {
      by_state.push_back(dot(loss.weights, tangent));
    }
    return {hyper.unflatten(loss.hyper.flatten() + at::stack(by_state)),
            loss.loss};
  }

  bool real_time_;
  HyperLimit limit_;
  std::vector<ParameterSet> tangents_;  // at the end of the last window
  std::int64_t steps_ = 0;              // of the run at the last estimate
  Key key_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "forward", Forward)

}  // namespace
}  // namespace nestgrad
