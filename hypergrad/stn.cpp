#include "core/autodiff.h"
#include "hypergrad/best_response.h"

namespace nestgrad {
namespace {

/// min over base and map of  mean_e f(base + shift(h + s e), h + s e)
class StnProblem : public ResponseProblem {
 public:
  using ResponseProblem::ResponseProblem;

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor h = perturbed(hyper, draw.key);
    return train_loss_at(weights.subset("base/"), weights.subset("map/"),
                         inner_hyper(hyper), h, h, draw);
  }

 private:
  Tensor displacement(const Tensor& hyper, const Tensor&) const override {
    return hyper;
  }
};

/// Self-Tuning Networks (MacKay, Vicol, Lorraine, Duvenaud and Grosse 2019,
/// "Self-tuning networks: Bilevel optimization of hyperparameters using
/// structured best-response functions"). Weights are trained to be an affine
/// function w(h) of the hyperparameters,
///
///   w(h) = base + shift(h),
///
/// that minimises the training loss f at hyperparameters perturbed by noise, so
/// that it approximates the best response around h; the hypergradient is that
/// of L(w(h), h). Biased as far as the best response is curved within the
/// noise, of which the base takes its share as well.
class Stn : public BestResponse {
 public:
  Stn(const Config& config, const TrainingLoop& loop)
      : BestResponse(
            config, loop,
            std::make_shared<StnProblem>(loop.problem(), response(config),
                                         config.integer("draws"))) {}

  static Schema schema() {
    return Schema(
               "Self-tuning networks: weights learn to answer the "
               "hyperparameters while they are trained once.")
        .also(common_keys());
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "stn", Stn)

}  // namespace
}  // namespace nestgrad
