#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"
#include "hypergrad/self_tuning/best_response.h"

namespace nestgrad {
namespace {

/// min over base and map of  mean_e f(w(h + s e), h + s e)
class StnProblem : public ResponseProblem {
 public:
  StnProblem(std::shared_ptr<const BilevelProblem> problem,
             std::shared_ptr<const Response> response, std::int64_t draws,
             bool per_example, Tensor origin)
      : ResponseProblem(std::move(problem), std::move(response), draws,
                        per_example),
        origin_(std::move(origin)) {}

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor h = perturbed(hyper, draw.key);
    return train_loss_at(weights.subset("base/"), weights.subset("map/"),
                         inner_hyper(hyper), h, h - origin_, draw);
  }

 private:
  Tensor displacement(const Tensor& hyper, const Tensor&) const override {
    return hyper - origin_;
  }

  Tensor origin_;  // h0
};

/// Self-Tuning Networks (MacKay, Vicol, Lorraine, Duvenaud and Grosse 2019,
/// "Self-tuning networks: Bilevel optimization of hyperparameters using
/// structured best-response functions"). Weights are trained to be an affine
/// function w(h) of the hyperparameters,
///
///   w(h) = base + shift(h - h0),
///
/// that minimises the training loss f at hyperparameters perturbed by noise, so
/// that it approximates the best response around h; the hypergradient is that
/// of L(w(h), h). Biased as far as the best response is curved within the
/// noise, of which the base takes its share as well.
///
/// The origin h0 is where the hyperparameters started, or zero as in the
/// published program. The functions w(h) are the same, but training takes
/// another path to them: with h0 = 0, coordinates far from zero (-3 for a
/// dropout rate of 0.05) make the shift move as fast as the base.
class Stn : public BestResponse {
 public:
  Stn(const Config& config, const TrainingLoop& loop)
      : BestResponse(config, loop,
                     std::make_shared<StnProblem>(
                         loop.problem(), response(config),
                         config.integer("draws"), config.boolean("per_example"),
                         origin(config, *loop.problem()))) {}

  static Schema schema() {
    return Schema(
               "Self-tuning networks: weights learn to answer the "
               "hyperparameters while they are trained once.")
        .also(common_keys())
        .choice("origin", "start",
                "Where the displacements that the response is given are "
                "counted from: where the hyperparameters started, or zero (in "
                "the coordinates in which they are tuned).",
                {"start", "zero"});
  }

 private:
  /// h0, [n].
  static Tensor origin(const Config& config, const BilevelProblem& problem) {
    const Tensor start = problem.initial_hyper().flatten();
    return config.text("origin") == "start" ? start : at::zeros_like(start);
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "stn", Stn)

}  // namespace
}  // namespace nestgrad
