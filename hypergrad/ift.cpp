#include <ATen/ATen.h>

#include "core/autodiff.h"
#include "hypergrad/estimator.h"
#include "hypergrad/implicit_system.h"
#include "hypergrad/inverse_hessian.h"

namespace nestgrad {
namespace {

/// Implicit differentiation at the end of a window (Lorraine, Vicol and
/// Duvenaud 2020, "Optimizing millions of hyperparameters by implicit
/// differentiation"):
///
///   g = dL/dh - (dF/dh)' q   where   (dF/dw)' q = dL/dw
///
/// for the validation loss L and the condition F(w, h) = 0 of the inner
/// optimum. Exact if w is that optimum and the solver is; memory and time do
/// not depend on how long training was.
class Ift : public HypergradientEstimator {
 public:
  Ift(const Config& config, const TrainingLoop& loop)
      : loop_(loop),
        run_(loop, Truncation::read(config)),
        fixed_point_(config.text("form") == "fixed_point"),
        solver_(
            InverseHessianRegistry::instance().make(config.object("solver"))) {
    if (fixed_point_ && solver_->symmetric_only()) {
      config.fail("solver",
                  "needs a symmetric system, which the form "
                  "\"fixed_point\" is not; take neumann (with scale "
                  "1) or dense");
    }
  }

  static Schema schema() {
    return Schema(
               "Implicit differentiation at the weights that training has "
               "reached.")
        .choice("form", "stationarity",
                "The condition of the inner optimum: stationarity (the "
                "gradient of the training loss is zero) or fixed_point (a "
                "training step changes nothing; settings of the training rule "
                "get a hypergradient, too).",
                {"stationarity", "fixed_point"})
        .object("solver", InverseHessianRegistry::instance(), "neumann",
                "How products with the inverse Hessian are approximated.");
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    run_.begin(hyper, key);
    solution_ = {};
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const ParameterSet w = run_.state().weights.leaves();
    const ParameterSet h = hyper.leaves();
    const Tensor loss = loop_.problem()->valid_loss(w, h, run_.draw("valid"));
    const Partials direct = partials(loss, w, h);

    const ImplicitSystem system =
        fixed_point_ ? ImplicitSystem::fixed_point(run_, hyper)
                     : ImplicitSystem::stationarity(run_, hyper);
    const Solution q =
        solver_->solve(system.transposed(), system.embed(direct.weights),
                       solution_.empty() ? nullptr : &solution_);
    if (q.status != Status::kDiverged) solution_ = q.x;

    Metrics metrics = q.metrics;
    metrics["products"] = static_cast<double>(q.products);
    metrics["residual"] = q.residual;
    return {direct.hyper - system.hyper_transposed(q.x), loss.item<double>(),
            q.status, std::move(metrics), q.trouble};
  }

  ParameterSet weights(const ParameterSet& hyper) const override {
    return run_.deployed(hyper);
  }

  void persist(Archive& archive) override {
    archive("run", run_);
    archive("solution", solution_);
  }

 private:
  const TrainingLoop& loop_;
  InnerRun run_;
  bool fixed_point_;
  std::unique_ptr<InverseHessian> solver_;
  ParameterSet solution_;  // the last q: a guess for the next
};

NESTGRAD_REGISTER(EstimatorRegistry, "ift", Ift)

}  // namespace
}  // namespace nestgrad
