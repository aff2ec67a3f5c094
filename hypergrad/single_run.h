#pragma once

#include "core/autodiff.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// An estimator that has one inner run, and what all of those have in common.
class SingleRun : public HypergradientEstimator {
 public:
  void begin(const ParameterSet& hyper, const Key& key) override {
    run_.begin(hyper, key);
  }

  ParameterSet weights(const ParameterSet& hyper) const override {
    return run_.deployed(hyper);
  }

  void persist(Archive& archive) override { archive("run", run_); }

 protected:
  /// `config` is the estimator's section.
  SingleRun(const Config& config, TrainingLoop loop)
      : loop_(std::move(loop)), run_(loop_, Truncation::read(config)) {}

  const BilevelProblem& problem() const { return *loop_.problem(); }

  /// L and its partial derivatives at the weights that training has reached.
  Partials direct_partials(const ParameterSet& hyper) const {
    const ParameterSet w = run_.state().weights.leaves();
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

  TrainingLoop loop_;
  InnerRun run_;
};

}  // namespace nestgrad
