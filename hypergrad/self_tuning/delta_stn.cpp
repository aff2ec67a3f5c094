#include "core/tensor/autodiff.h"
#include "hypergrad/self_tuning/best_response.h"

namespace nestgrad {
namespace {

/// min over base of  f(base, h)  and, for that base as a constant, min over map
/// of  mean_e f(base + shift(s e), h + s e)
class DeltaStnProblem : public ResponseProblem {
 public:
  DeltaStnProblem(std::shared_ptr<const BilevelProblem> problem,
                  std::shared_ptr<const Response> response, std::int64_t draws,
                  bool per_example, bool linear)
      : ResponseProblem(std::move(problem), std::move(response), draws,
                        per_example),
        linear_(linear) {}

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const ParameterSet base = weights.subset("base/");
    const ParameterSet centre = inner_hyper(hyper);
    Draw of_general = draw;
    of_general.key = draw.key.fold("general");
    const Tensor general = problem().train_loss(base, centre, of_general);
    const Tensor h = perturbed(hyper, draw.key);
    return general + train_loss_at(base.detach(), weights.subset("map/"),
                                   centre, h, h - centre.flatten(), draw,
                                   linear_);
  }

 private:
  Tensor displacement(const Tensor& hyper,
                      const Tensor& centre) const override {
    return hyper - centre;
  }

  bool linear_;
};

/// Delta-STN (Bae and Grosse 2020, "Delta-STN: Efficient bilevel optimization
/// for neural networks using structured response Jacobians"). The response is
/// centred where the hyperparameters h are,
///
///   w(h') = base + shift(h' - h),
///
/// base is trained at h without noise, so it is not biased by it, and only the
/// shift is trained on noise, on a loss of the model's outputs to first order
/// in the displacement. Two passes per step, better conditioned than one.
class DeltaStn : public BestResponse {
 public:
  DeltaStn(const Config& config, const TrainingLoop& loop)
      : BestResponse(
            config, loop,
            std::make_shared<DeltaStnProblem>(
                loop.problem(), response(config), config.integer("draws"),
                config.boolean("per_example"), config.boolean("linearize"))),
        linearizes_(config.boolean("linearize")) {}

  static Schema schema() {
    return Schema(
               "Self-tuning networks whose response is centred: the weights "
               "themselves are trained without noise.")
        .also(common_keys())
        .boolean("linearize", true,
                 "Whether the response is trained on outputs to first order; "
                 "otherwise on outputs at the displaced weights.");
  }

  /// Outputs to first order are derivatives, and training differentiates them.
  bool differentiates_twice() const override { return linearizes_; }

  Json setting_without_second_derivatives() const override {
    return {{"linearize", false}};
  }

 private:
  bool linearizes_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "delta_stn", DeltaStn)

}  // namespace
}  // namespace nestgrad
