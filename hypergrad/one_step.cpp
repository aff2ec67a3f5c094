#include "core/autodiff.h"
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
/// hypergradient it has xi in place of the inverse Hessian, so the indirect
/// part is too short, and short of it most where the training loss is flat. xi
/// = 0 is first-order DARTS: dL/dh at w. The look-ahead is undone; training
/// goes on from w, by its own rule.
class OneStep : public SingleRun {
 public:
  OneStep(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        lookahead_(config.number("lookahead")),
        exact_(config.text("products") == "exact"),
        difference_(config.number("difference")) {}

  static Schema schema() {
    return Schema("One look-ahead step in place of the inner optimum (DARTS).")
        .number("lookahead", 0.01,
                "Length xi of the look-ahead step of gradient descent, usually "
                "the learning rate; 0: the direct derivative only.",
                at_least(0))
        // The price is the same, and exact has no length to choose.
        .choice("products", "exact",
                "The product with the mixed second derivative by "
                "differentiating twice (exact), or by central differences of "
                "gradients, as published.",
                {"exact", "finite_difference"})
        .also(difference_schema());
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const Partials outer = direct_partials(look_ahead(hyper), hyper);
    if (lookahead_ == 0) return {outer.hyper, outer.loss};
    return {add(outer.hyper, -lookahead_, mixed_product(hyper, outer.weights)),
            outer.loss};
  }

  /// h -> L(w - xi df/dw(w, h), h), with w constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      return valid_loss(look_ahead(hyper), hyper);
    };
  }

  Target target() const override { return Target::kStationarity; }

 private:
  ParameterSet look_ahead(const ParameterSet& hyper) const {
    const ParameterSet& w = run_.state().weights;
    return lookahead_ == 0 ? w : add(w, -lookahead_, train_gradient(w, hyper));
  }

  /// (d2f / dh dw) v at w
  ParameterSet mixed_product(const ParameterSet& hyper,
                             const ParameterSet& v) const {
    const ParameterSet w = run_.state().weights.leaves();
    if (exact_) {
      const ParameterSet h = hyper.leaves();
      return vjp(gradient(train_loss(w, h), w, Tape::kOn), h, v);
    }
    return gradient_difference(
        [&](const ParameterSet& at) {
          return train_gradient_by_hyper(at, hyper);
        },
        w, v, difference_);
  }

  double lookahead_;
  bool exact_;
  double difference_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "one_step", OneStep)

}  // namespace
}  // namespace nestgrad
