#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// Appends the penalty lambda to a set of hyperparameters.
ParameterSet with_penalty(ParameterSet hyper, double penalty) {
  hyper.insert("f2sa/penalty",
               at::scalar_tensor(penalty, at::TensorOptions(at::kDouble)));
  return hyper;
}

/// f + L / lambda as the training loss. lambda is the last of the
/// hyperparameters, so that the losses stay functions of their arguments.
class Penalized : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const ParameterSet h = inner_hyper(hyper);
    const double penalty = hyper.tensors().back().item<double>();
    const Draw valid{draw.step, draw.key.fold("valid")};
    return problem().train_loss(weights, h, draw) +
           1 / penalty * problem().valid_loss(weights, h, valid);
  }

 protected:
  ParameterSet inner_hyper(const ParameterSet& hyper) const override {
    ParameterSet out;
    for (std::size_t i = 0; i + 1 < hyper.size(); ++i) {
      out.insert(hyper.name(i), hyper.tensors()[i]);
    }
    return out;
  }
};

/// The penalty method (Kwon, Kwon, Wright and Nowak 2023, "A fully first-order
/// method for stochastic bilevel optimization"). Two sets of weights, z trained
/// on f and y on f + L / lambda, give
///
///   g = dL/dh(y, h) + lambda (df/dh(y, h) - df/dh(z, h)),
///
/// the derivative of min_y {L + lambda f} - lambda min_z f. First derivatives
/// only. At the optima of both the bias is O(1 / lambda); short of them, what y
/// and z lack of their optima is multiplied by lambda. Both runs start from the
/// same weights and see the same minibatches, so that noise cancels in y - z.
///
/// lambda grows from one window of training to the next. Within a window it
/// stays what y was trained with.
class F2sa : public SingleRun {
 public:
  F2sa(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        penalized_loop_(loop.of(std::make_shared<Penalized>(loop.problem()))),
        penalized_(penalized_loop_, Truncation::read(config)),
        start_(config.number("penalty")),
        growth_(config.number("penalty_growth")) {}

  static Schema schema() {
    return Schema(
               "The penalty method: two sets of weights, first derivatives "
               "only (F2SA).")
        .number("penalty", 10,
                "Weight lambda of the training loss against the validation "
                "loss, at first. The bias falls like 1 / lambda.",
                above(0))
        .number("penalty_growth", 0.1,
                "What is added to lambda from one window to the next.",
                at_least(0));
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    SingleRun::begin(hyper, key);
    penalized_.begin(with_penalty(hyper, start_), key);
    windows_ = 0;
  }

  Estimate estimate(const ParameterSet& hyper) override {
    if (run_.advance(hyper)) ++windows_;
    penalized_.advance(with_penalty(hyper, penalty()));
    const ParameterSet& y = penalized_.state().weights;
    const ParameterSet& z = run_.state().weights;
    const ParameterSet difference =
        train_gradient_by_hyper(y, hyper) - train_gradient_by_hyper(z, hyper);
    // The validation loss of z, which has not been trained on it.
    return {add(direct_partials(y, hyper).hyper, penalty(), difference),
            valid_loss(z, hyper),
            Status::kOk,
            {{"penalty", penalty()}, {"weights_apart", length(y - z)}}};
  }

  void persist(Archive& archive) override {
    SingleRun::persist(archive);
    archive("penalized", penalized_);
    archive("windows", windows_);
  }

  /// h -> L(y, h) + lambda (f(y, h) - f(z, h)), with y and z constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      const auto f = [&](const InnerRun& run) {
        return train_loss(run.state().weights, hyper).item<double>();
      };
      return valid_loss(penalized_.state().weights, hyper) +
             penalty() * (f(penalized_) - f(run_));
    };
  }

  Target target() const override { return Target::kStationarity; }

  bool differentiates_twice() const override { return false; }
  bool takes_differences() const override { return true; }

 private:
  /// lambda in the present window.
  double penalty() const {
    return start_ + growth_ * static_cast<double>(windows_ - 1);
  }

  TrainingLoop penalized_loop_;
  InnerRun penalized_;  // y; that of SingleRun is z
  double start_, growth_;
  std::int64_t windows_ = 0;
};

NESTGRAD_REGISTER(EstimatorRegistry, "f2sa", F2sa)

}  // namespace
}  // namespace nestgrad
