#pragma once

#include "core/tensor/autodiff.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// Base of the estimators that have one inner run.
class SingleRun : public HypergradientEstimator {
 public:
  void begin(const ParameterSet& hyper, const Key& key) override {
    run_.begin(hyper, key);
  }

  ParameterSet weights(const ParameterSet& hyper) const override {
    return run_.deployed(hyper);
  }

  TrainingPosition position() const override {
    return {run_.reached().step, run_.start()};
  }

  void persist(Archive& archive) override { archive("run", run_); }

 protected:
  /// `config` is the estimator's section.
  SingleRun(const Config& config, TrainingLoop loop)
      : loop_(std::move(loop)), run_(loop_, Truncation::read(config)) {}

  /// Trains for some windows, through all turns of each.
  void train_windows(std::int64_t windows, const ParameterSet& hyper) {
    std::int64_t turns = windows * run_.truncation().outer_steps_per_window;
    while (turns-- > 0) run_.advance(hyper);
  }

  /// The state after `steps` steps from the start of the run with this key.
  /// `hyper` is the same in all steps. Off the tape.
  TrainState trained(std::int64_t steps, const ParameterSet& hyper,
                     const Key& run) const {
    const ParameterSet h = hyper.detach();
    return loop_.steps(loop_.start(h, run).detach(), steps, h, run);
  }

  const BilevelProblem& problem() const { return *loop_.problem(); }

  /// L and its partial derivatives at the weights that training has reached.
  Partials direct_partials(const ParameterSet& hyper) const {
    return direct_partials(run_.state().weights, hyper);
  }

  /// The same at other weights.
  Partials direct_partials(const ParameterSet& weights,
                           const ParameterSet& hyper) const {
    const ParameterSet w = weights.leaves();
    const ParameterSet h = hyper.leaves();
    return partials(problem().valid_loss(w, h, run_.draw("valid")), w, h);
  }

  /// L(w, h), off the tape.
  double valid_loss(const ParameterSet& weights,
                    const ParameterSet& hyper) const {
    return problem()
        .valid_loss(weights.detach(), hyper.detach(), run_.draw("valid"))
        .item<double>();
  }

  /// f(w, h) on the minibatch of this turn, the same as in an ImplicitSystem.
  /// On the tapes of `weights` and `hyper`.
  Tensor train_loss(const ParameterSet& weights,
                    const ParameterSet& hyper) const {
    return problem().train_loss(weights, hyper, run_.draw("implicit"));
  }

  /// df/dw on that minibatch, off the tape.
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper) const {
    return nestgrad::train_gradient(problem(), weights, hyper.detach(),
                                    run_.draw("implicit"), Tape::kOff);
  }

  /// df/dh on that minibatch. Nothing is differentiated by the weights. Throws
  /// Error if f has no values.
  ParameterSet train_gradient_by_hyper(const ParameterSet& weights,
                                       const ParameterSet& hyper) const {
    require_values(problem());
    const ParameterSet h = hyper.leaves();
    return gradient(train_loss(weights.detach(), h), h);
  }

  TrainingLoop loop_;
  InnerRun run_;
};

}  // namespace nestgrad
