#include "core/tensor/autodiff.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// The second player of a game has a gradient of its own:
///
///   g = dL/dh(w, h),   w constant
///
/// Descending it seeks an equilibrium, where each player is at a stationary
/// point of its own loss, rather than the least L that training under h leads
/// to. The two methods differ in the weights w at which they ask: those before
/// a window of training or those after it. With windows of one step they are
/// simultaneous and alternating gradient descent.
class SecondPlayer : public SingleRun {
 public:
  /// h -> L(w, h), w constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      return problem().valid_loss(w_, hyper.detach(), draw_).item<double>();
    };
  }

  Target target() const override { return Target::kOwn; }

  bool differentiates_training() const override { return false; }

 protected:
  SecondPlayer(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop) {
    if (problem().abilities().game) return;
    config.fail("type",
                "needs a game, whose hyperparameters have a loss of their own "
                "at constant weights; here they act through training alone, so "
                "take an estimator that follows it");
  }

  /// The estimate at the weights w.
  Estimate at(const ParameterSet& w, const ParameterSet& hyper) {
    w_ = w.detach();
    draw_ = run_.draw("valid");
    const ParameterSet h = hyper.leaves();
    const Tensor loss = problem().valid_loss(w_, h, draw_);
    return {gradient(loss, h), Number(loss)};
  }

 private:
  ParameterSet w_;  // of the last estimate, as the draw
  Draw draw_;
};

class Simultaneous : public SecondPlayer {
 public:
  Simultaneous(const Config& config, const TrainingLoop& loop)
      : SecondPlayer(config, loop) {}

  static Schema schema() {
    return Schema(
        "Player 2's own gradient in a game, at the weights before they move.");
  }

  Estimate estimate(const ParameterSet& hyper) override {
    const Estimate out = at(run_.window_start(hyper).first.weights, hyper);
    run_.finish_turn(run_.unroll(hyper, Tape::kOff));
    return out;
  }
};

class Alternating : public SecondPlayer {
 public:
  Alternating(const Config& config, const TrainingLoop& loop)
      : SecondPlayer(config, loop) {}

  static Schema schema() {
    return Schema(
        "Player 2's own gradient in a game, at the weights that have moved.");
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    return at(run_.state().weights, hyper);
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "alternating", Alternating)
NESTGRAD_REGISTER(EstimatorRegistry, "simultaneous", Simultaneous)

}  // namespace
}  // namespace nestgrad
