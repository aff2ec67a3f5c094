#include "core/tensor/autodiff.h"
#include "hypergrad/gradient_difference.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// Implicit differentiation of the fixed point w = step(w, df/dw(w, h), h) of
/// the training rule, with the identity for the inverse (Choe, Mehta, Ahn,
/// Neiswanger, Xie, Strubell and Xing 2023, "Making scalable meta learning
/// practical"):
///
///   g = dL/dh + (dstep/dh)' q + (d2f / dh dw) v,   q = dL/dw
///   v = (dstep/dgradient)' q
///
/// v is where the rule takes part: -lr q for gradient descent, about -lr q
/// divided by the root of the second moment for Adam. Nothing is differentiated
/// twice, since the product with the mixed derivative is a difference of
/// gradients and the rule is differentiated with the gradient as a leaf.
///
/// All is evaluated at the weights and slots that training has reached: the
/// derivative of L through the next training step, as far as L is linear. What
/// later steps would add is missing, so the indirect part is too short.
class Sama : public SingleRun {
 public:
  Sama(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        difference_(read_difference(
            config,
            problem().initial_weights(problem().initial_hyper(), Key()))) {}

  static Schema schema() {
    return Schema(
               "The identity for the inverse of the training rule's Jacobian, "
               "by first derivatives only (SAMA).")
        .also(difference_schema());
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const Partials direct = direct_partials(hyper);
    outer_ = direct.weights;

    const ParameterSet& w = run_.state().weights;
    const ParameterSet h = hyper.leaves();
    const ParameterSet f = train_gradient(w, hyper).leaves();
    // The rule's own derivatives, by the gradient and by its settings.
    const Partials rule = partials(dot(outer_, step(f, h)), f, h);
    const ParameterSet mixed = gradient_difference(
        [&](const ParameterSet& near) {
          return train_gradient_by_hyper(near, hyper);
        },
        w, rule.weights, difference_);
    Estimate out{direct.hyper + rule.hyper + mixed, direct.loss};
    out.used = {{"difference", difference_}};
    return out;
  }

  /// h -> L(w, h) + q'step(w, df/dw(w, h), h), with w, its slots and q
  /// constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      const ParameterSet& w = run_.state().weights;
      return valid_loss(w, hyper) +
             dot(outer_, step(train_gradient(w, hyper), hyper)).item<double>();
    };
  }

  Target target() const override { return Target::kFixedPoint; }

  bool differentiates_twice() const override { return false; }
  bool takes_differences() const override { return true; }

 private:
  /// The weights after one more step, if this is the gradient.
  ParameterSet step(const ParameterSet& gradient,
                    const ParameterSet& hyper) const {
    return loop_.optimizer()
        ->step(run_.state(), gradient, problem().natural(hyper))
        .weights;
  }

  double difference_;
  ParameterSet outer_;  // q of the last estimate
};

NESTGRAD_REGISTER(EstimatorRegistry, "sama", Sama)

}  // namespace
}  // namespace nestgrad
