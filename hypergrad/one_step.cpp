#include "core/tensor/autodiff.h"
#include "hypergrad/gradient_difference.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// One step of gradient descent in place of the inner optimum (Liu, Simonyan
/// and Yang 2019, "DARTS: Differentiable architecture search"):
///
///   g = dL/dh(w', h) - xi (d2f / dh dw) dL/dw(w', h)
///   w' = w - xi df/dw(w, h)
///
/// at the weights w that training has reached. The derivative of L(w', h) for
/// constant w, so exact for the look-ahead; as an estimate of the implicit
/// hypergradient it has xi in place of the inverse Hessian: the indirect part
/// is too short, most of all where the training loss is flat. xi = 0 is
/// first-order DARTS, dL/dh at w. Training goes on from w, by its own rule.
class OneStep : public SingleRun {
 public:
  OneStep(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        lookahead_(config.number("lookahead")),
        exact_(config.text("products") == "exact"),
        difference_(read_difference(
            config,
            problem().initial_weights(problem().initial_hyper(), Key()))) {}

  static Schema schema() {
    return Schema("One look-ahead step in place of the inner optimum (DARTS).")
        .number("lookahead", 0.01,
                "Length xi of the look-ahead step of gradient descent, usually "
                "the learning rate; 0: the direct derivative only.",
                at_least(0))
        // The price is about the same, and exact has no length to choose.
        .choice("products", "exact",
                "The product with the mixed second derivative by "
                "differentiating twice (exact), or by central differences of "
                "gradients, as published.",
                {"exact", "finite_difference"})
        .also(difference_schema());
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    if (lookahead_ == 0) {
      // Nothing is differentiated by the weights.
      const ParameterSet h = hyper.leaves();
      const Tensor loss = problem().valid_loss(run_.state().weights.detach(), h,
                                               run_.draw("valid"));
      return {gradient(loss, h), Number(loss)};
    }
    const ParameterSet w = run_.state().weights.leaves();
    const ParameterSet h = hyper.leaves();
    const ParameterSet f =
        gradient(train_loss(w, h), w, exact_ ? Tape::kOn : Tape::kOff);
    const Partials ahead =
        direct_partials(add(w, -lookahead_, f).detach(), hyper);
    const ParameterSet mixed =
        exact_ ? vjp(f, h, ahead.weights)
               : gradient_difference(
                     [&](const ParameterSet& near) {
                       return train_gradient_by_hyper(near, hyper);
                     },
                     w.detach(), ahead.weights, difference_);
    Estimate out{add(ahead.hyper, -lookahead_, mixed), ahead.loss};
    if (!exact_) out.used = {{"difference", difference_}};
    return out;
  }

  /// h -> L(w - xi df/dw(w, h), h), with w constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      const ParameterSet& w = run_.state().weights;
      return valid_loss(add(w, -lookahead_, train_gradient(w, hyper)), hyper);
    };
  }

  Target target() const override { return Target::kStationarity; }

  bool differentiates_twice() const override {
    return exact_ && lookahead_ > 0;
  }

  bool takes_differences() const override { return !exact_ && lookahead_ > 0; }

  Json setting_without_second_derivatives() const override {
    return {{"products", "finite_difference"}};
  }

 private:
  double lookahead_;
  bool exact_;
  double difference_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "one_step", OneStep)

}  // namespace
}  // namespace nestgrad
