#include <ATen/ATen.h>

#include <optional>

#include "core/config/alternatives.h"
#include "core/tensor/autodiff.h"
#include "hypergrad/implicit/implicit_system.h"
#include "hypergrad/implicit/influence.h"
#include "hypergrad/single_run.h"
#include "hypergrad/solvers/inverse_hessian.h"
#include "hypergrad/solvers/stability.h"

namespace nestgrad {
namespace {

/// A claim with at most this many unknowns is computed by dense algebra.
constexpr std::int64_t kDense = 1000;

/// Answers that differ from the formula by less than this are compared with it,
/// however they came about.
constexpr double kRounding = 1e-9;

/// Answers with relative residuals below this differ by the condition of the
/// system alone.
constexpr double kSolved = 1e-8;

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
    if (!solver_->starts_at_guess()) solution_ = {};  // as large as the weights
    run_.advance(hyper);
    Partials direct = direct_partials(hyper);
    const ImplicitSystem system = system_at(hyper);
    ParameterSet b = system.embed(direct.weights);
    direct.weights = {};
    const bool small = b.numel() <= kDense;
    const Solution q =
        solver_->solve(system.transposed(), std::move(b),
                       solution_.empty() ? nullptr : &solution_, solver_key());
    if (small) {
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
    const ParameterSet q = by_formula().value_or(solution_);
    if (q.empty()) return {};  // no estimate has been possible
    return [this, q](const ParameterSet& hyper) {
      return valid_loss(run_.state().weights, hyper) -
             dot(q, system_at(hyper).residual()).item<double>();
    };
  }

  /// Where the claim takes the solver's answer as given.
  double parts_error() const override {
    return by_formula() ? 0 : formula_error(*solver_);
  }

  Target target() const override {
    return fixed_point_ ? Target::kFixedPoint : Target::kStationarity;
  }

  bool differentiates_twice() const override {
    return !solver_->options().finite_difference;
  }

  bool takes_differences() const override {
    return solver_->options().finite_difference;
  }

  Json setting_without_second_derivatives() const override {
    return {{"solver", {{"products", "finite_difference"}}}};
  }

  std::unique_ptr<AttributionPass> attribute(
      const AttributionTask& task) const override {
    if (fixed_point_) return nullptr;
    return std::make_unique<Influence>(loop_, task, *solver_);
  }

  bool reseed(const Key& key) override {
    noise_ = key;
    return solver_->random();
  }

 private:
  Key solver_key() const { return run_.draw("solver").key.fold(noise_.bits()); }

  /// The q that the solver's formula says for the last estimate. None in large
  /// models, and where the formula, which knows no rounding, cannot judge the
  /// solver's own answer: that is off it by less than small errors of products
  /// move it, or both solve the system.
  std::optional<ParameterSet> by_formula() const {
    if (last_.empty()) return {};
    const ImplicitSystem system = system_at(last_);
    const ParameterSet right = system.embed(direct_partials(last_).weights);
    const Tensor b = right.flatten();
    const Tensor damped = system.matrix() + solver_->options().damping *
                                                at::eye(b.numel(), b.options());
    const ParameterSet* guess = guess_.empty() ? nullptr : &guess_;
    const ParameterSet q = right.unflatten(solver_->formula(
        damped, b, guess == nullptr ? Tensor() : guess->flatten(),
        solver_key()));
    if (solution_.empty()) return q;
    const double off = length(q - solution_);
    if (off <= kRounding * length(q)) return q;
    const auto solves = [&](const ParameterSet& x) {
      const Tensor rest = at::mv(damped, x.flatten()) - b;
      return (rest.norm() / b.norm()).item<double>() < kSolved;
    };
    if (solves(q) && solves(solution_)) return {};
    const double moved = movement_by_errors(
        *solver_, system.transposed(), right, guess, solver_key(), solution_);
    if (off <= moved) return {};
    return q;
  }

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
