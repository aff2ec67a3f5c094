#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// Amortized proximal optimization (Bae, Vicol, HaoChen and Grosse 2022,
/// "Amortized proximal optimization"): tunes settings of the training rule,
/// such as its learning rate, in one ordinary run and without validation
/// examples. One look-ahead step w' = step(w, g, h) should be a good proximal
/// step,
///
///   Q(h) = J(w') + lambda_F D(f(w'), f(w)) + lambda_W |w' - w|^2 / 2
///
/// J is the training loss on the minibatch of that step, D compares the outputs
/// f of the model on another one. w, f(w) and the gradient g are constants, so
/// Q is differentiated through the rule alone; if hyperparameters of the
/// training loss are tuned as well, it is differentiated through g, too. With a
/// preconditioner for a rule Q has its minimum at (lambda_F G + lambda_W I)^-1
/// if J is linearized, and with 1 + lambda_F for lambda_F if it is not.
class Apo : public SingleRun {
 public:
  Apo(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        by_function_(config.number("function_space")),
        by_weights_(config.number("weight_space")),
        divergence_(config.text("discrepancy") == "kl"),
        linearized_(config.boolean("linearized")) {
    const ParameterSet hyper = problem().initial_hyper();
    for (const Hyperparameter& h : problem().hyperparameters()) {
      if (hyper.contains(h.name)) through_gradient_ = Tape::kOn;
    }
  }

  static Schema schema() {
    return Schema(
               "Amortized proximal optimization: settings of the training rule "
               "by one look-ahead step on training examples.")
        .number("function_space", 0.1,
                "Weight lambda_F of how far outputs move on other examples.",
                at_least(0))
        .number("weight_space", 0.1,
                "Weight lambda_W of half the squared distance of the weights.",
                at_least(0))
        .choice("discrepancy", "kl",
                "How outputs are compared: Kullback-Leibler divergence of "
                "their softmax (kl), or half the squared distance, each the "
                "mean over examples.",
                {"kl", "squared_error"})
        .boolean("linearized", false,
                 "Whether the training loss is taken to first order in the "
                 "step.");
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    hyper_ = hyper.detach();
    const ParameterSet h = hyper.leaves();
    const Tensor q = objective(h);
    return {gradient(q, h), valid_loss(run_.state().weights, hyper)};
  }

  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      return objective(hyper.detach()).item<double>();
    };
  }

  Target target() const override { return Target::kOwn; }

  bool differentiates_twice() const override {
    return through_gradient_ == Tape::kOn;
  }

 private:
  /// Q(h), on the tape of `hyper`.
  Tensor objective(const ParameterSet& hyper) const {
    const TrainState& state = run_.state();
    const ParameterSet& w = state.weights;
    const Key key = run_.run_key();
    const ParameterSet g =
        loop_.train_gradient(state, hyper, key, through_gradient_);
    const ParameterSet ahead = loop_.apply(state, g, hyper, key).weights;
    const ParameterSet step = ahead - w;
    Tensor q = linearized_ ? dot(g.detach(), step)
                           : problem().train_loss(ahead, hyper_,
                                                  loop_.draw(state, key));
    if (by_weights_ > 0) q = q + 0.5 * by_weights_ * dot(step, step);
    if (by_function_ > 0) {
      const Draw other = run_.draw("proximity");
      q = q + by_function_ *
                  discrepancy(problem().outputs(ahead, hyper_, other),
                              problem().outputs(w, hyper_, other).detach());
    }
    return q;
  }

  Tensor discrepancy(const Tensor& moved, const Tensor& before) const {
    if (!divergence_) {
      return 0.5 * (moved - before).square().sum() /
             static_cast<double>(before.size(0));
    }
    const Tensor log_p = before.log_softmax(-1), log_q = moved.log_softmax(-1);
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean();
  }

  double by_function_, by_weights_;
  bool divergence_, linearized_;
  // On, if hyperparameters of the training loss are tuned.
  Tape through_gradient_ = Tape::kOff;
  ParameterSet hyper_;  // of the last estimate
};

NESTGRAD_REGISTER(EstimatorRegistry, "apo", Apo)

}  // namespace
}  // namespace nestgrad
