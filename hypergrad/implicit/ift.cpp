#include <ATen/ATen.h>

#include "core/config/alternatives.h"
#include "core/tensor/autodiff.h"
#include "hypergrad/implicit/implicit_system.h"
#include "hypergrad/single_run.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {
namespace {

/// A claim with at most this many unknowns is computed by dense algebra.
constexpr std::int64_t kDense = 1000;

/// Implicit differentiation at the end of a window (Lorraine, Vicol and
/// Duvenaud 2020, "Optimizing millions of hyperparameters by implicit
/// differentiation"):
///
///   g = dL/dh - (dF/dh)' q   where   (dF/dw)' q = dL/dw
///
/// for the validation loss L and the condition F(w, h) = 0 of the inner
/// optimum. Exact if w is that optimum and the solver is; memory and time do
/// not depend on how long training was.
class Ift : public SingleRun {
 public:
  Ift(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        fixed_point_(config.text("form") == "fixed_point"),
        solver_(
            InverseHessianRegistry::instance().make(config.object("solver"))) {
    if (fixed_point_ && solver_->symmetric_only()) {
      config.fail(
          "solver",
          fmt::format("needs a symmetric system, which the form "
                      "\"fixed_point\" is not; take {}",
                      in_words(names_where(InverseHessianRegistry::instance(),
                                           [](const InverseHessian& solver) {
                                             return solver.converges() &&
                                                    !solver.symmetric_only();
                                           }))));
    }
    check_options(config.object("solver"));
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
    SingleRun::begin(hyper, key);
    solution_ = guess_ = {};
  }

  Estimate estimate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const Partials direct = direct_partials(hyper);
    const ImplicitSystem system = system_at(hyper);
    const ParameterSet b = system.embed(direct.weights);
    const Solution q =
        solver_->solve(system.transposed(), b,
                       solution_.empty() ? nullptr : &solution_, solver_key());
    if (b.numel() <= kDense) {
      guess_ = solution_;
      last_ = hyper;
    }
    if (q.status != Status::kDiverged) solution_ = q.x;

    Metrics metrics = q.metrics;
    metrics["products"] = static_cast<double>(q.products);
    metrics["residual"] = q.residual;
    if (fixed_point_) {
      // Where A is not symmetric, v'A v says nothing about its inverse.
      for (const char* name :
           {"smallest_curvature", "largest_curvature", "condition_at_least"}) {
        metrics.erase(name);
      }
    }
    Estimate out{direct.hyper - system.hyper_transposed(q.x), direct.loss,
                 q.status, std::move(metrics), q.trouble};
    if (!q.used.empty()) out.used = {{"solver", q.used}};
    return out;
  }

  void persist(Archive& archive) override {
    SingleRun::persist(archive);
    archive("solution", solution_);
  }

  /// h -> L(w, h) - q'F(w, h), with w and q constant. For small models q is
  /// what the solver's formula says, otherwise what it has found.
  Objective claim() const override {
    ParameterSet q = solution_;
    if (!last_.empty()) {
      const ImplicitSystem system = system_at(last_);
      const Tensor b = system.embed(direct_partials(last_).weights).flatten();
      const Tensor damping = at::eye(b.numel(), b.options());
      q = q.unflatten(solver_->formula(
          system.matrix() + solver_->options().damping * damping, b,
          guess_.empty() ? Tensor() : guess_.flatten(), solver_key()));
    }
    return [this, q](const ParameterSet& hyper) {
      return valid_loss(run_.state().weights, hyper) -
             dot(q, system_at(hyper).residual()).item<double>();
    };
  }

  /// In larger models, where the claim takes the solver's answer as given.
  double parts_error() const override {
    return solution_.numel() <= kDense ? 0 : formula_error(*solver_);
  }

  Target target() const override {
    return fixed_point_ ? Target::kFixedPoint : Target::kStationarity;
  }

  bool differentiates_twice() const override {
    return !solver_->options().finite_difference;
  }

  Json setting_without_second_derivatives() const override {
    return {{"solver", {{"products", "finite_difference"}}}};
  }

  bool reseed(const Key& key) override {
    noise_ = key;
    return solver_->random();
  }

 private:
  Key solver_key() const { return run_.draw("solver").key.fold(noise_.bits()); }

  ImplicitSystem system_at(const ParameterSet& hyper) const {
    return fixed_point_
               ? ImplicitSystem::fixed_point(run_, hyper)
               : ImplicitSystem::stationarity(run_, hyper, solver_->options());
  }

  /// Fails unless the problem has the matrix that `solver` asks for.
  void check_options(const Config& solver) const {
    const HessianOptions& options = solver_->options();
    if (fixed_point_ && options.finite_difference) {
      solver.fail("products",
                  "must be exact in the form \"fixed_point\", whose Jacobian "
                  "is that of a training step, not of a gradient; take the "
                  "form \"stationarity\"");
    }
    if (!options.gauss_newton) return;
    if (fixed_point_) {
      solver.fail("hessian",
                  "must be exact in the form \"fixed_point\", which has no "
                  "Hessian to replace; take the form \"stationarity\"");
    }
    if (!problem().abilities().outputs) {
      solver.fail("hessian",
                  "must be exact here: this problem does not define its "
                  "model's outputs and their loss; against negative curvature "
                  "take \"damping\"");
    }
  }

  bool fixed_point_;
  std::unique_ptr<InverseHessian> solver_;
  ParameterSet solution_;      // the last q: a guess for the next
  ParameterSet guess_, last_;  // of the last estimate, in small models
  Key noise_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "ift", Ift)

}  // namespace
}  // namespace nestgrad
