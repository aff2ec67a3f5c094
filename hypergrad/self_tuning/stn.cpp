#include "core/tensor/autodiff.h"
#include "hypergrad/self_tuning/best_response.h"

namespace nestgrad {
namespace {

/// min over base and map of  mean_e f(w(h + s e), h + s e)
class StnProblem : public ResponseProblem {
 public:
  StnProblem(const std::shared_ptr<const BilevelProblem>& problem,
             std::shared_ptr<const Response> response, std::int64_t draws,
             bool per_example)
      : ResponseProblem(problem, std::move(response), draws, per_example),
        start_(problem->initial_hyper().flatten()) {}

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor h = perturbed(hyper, draw.key);
    return train_loss_at(weights.subset("base/"), weights.subset("map/"),
                         inner_hyper(hyper), h, h - start_, draw);
  }

 private:
  Tensor displacement(const Tensor& hyper, const Tensor&) const override {
    return hyper - start_;
  }

  Tensor start_;
};

/// Self-Tuning Networks (MacKay, Vicol, Lorraine, Duvenaud and Grosse 2019,
/// "Self-tuning networks: Bilevel optimization of hyperparameters using
/// structured best-response functions"). Weights are trained to be an affine
/// function w(h) of the hyperparameters,
///
///   w(h) = base + shift(h - h0),
///
/// h0 being where they started (zero in the paper, which is the same function
/// but harder to train), that minimises the training loss f at hyperparameters
/// perturbed by noise, so that it approximates the best response around h; the
/// hypergradient is that of L(w(h), h). Biased as far as the best response is
/// curved within the noise, of which the base takes its share as well.
class Stn : public BestResponse {
 public:
  Stn(const Config& config, const TrainingLoop& loop)
      : BestResponse(
            config, loop,
            std::make_shared<StnProblem>(loop.problem(), response(config),
                                         config.integer("draws"),
                                         config.boolean("per_example"))) {}

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
