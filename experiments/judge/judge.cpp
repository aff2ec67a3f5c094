#include "experiments/judge/judge.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <limits>

#include "core/flattened.h"
#include "hypergrad/adjoint.h"
#include "hypergrad/implicit/implicit_system.h"
#include "hypergrad/solvers/named_solver.h"
#include "hypergrad/unrolled/checkpoint_schedule.h"
#include "hypergrad/window_loss.h"

namespace nestgrad {
namespace {

/// The largest system that is written out, in unknowns. A larger one is solved
/// by iteration.
constexpr std::int64_t kDense = 1500;
constexpr double kTolerance = 1e-10;
constexpr std::int64_t kIterations = 600;

constexpr std::int64_t kRandomDirections = 4;

/// A slope with this relative uncertainty is good enough.
constexpr double kEnough = 1e-9;

/// Central differences of steps `first`, first / 2, ..., extrapolated to 0.
Slope extrapolated_slope(const std::function<double(double)>& f, double first) {
  constexpr int kRows = 5;
  Slope best;
  std::array<double, kRows> above{}, row{};
  double step = first;
  for (int i = 0; i < kRows; ++i, step /= 2) {
    // row[j] has an error of order step^(2 j + 2).
    const double ahead = f(step), behind = f(-step);
    row[0] = (ahead - behind) / (2 * step);
    // Rounding of f alone, since neighbours may agree by chance.
    const double rounding = std::numeric_limits<double>::epsilon() *
                            std::max(std::abs(ahead), std::abs(behind)) / step;
    double factor = 4;
    for (int j = 1; j <= i; ++j, factor *= 4) {
      row[j] = row[j - 1] + (row[j - 1] - above[j - 1]) / (factor - 1);
      const double uncertainty =
          std::max({std::abs(row[j] - row[j - 1]),
                    std::abs(row[j] - above[j - 1]), rounding});
      if (uncertainty < best.uncertainty) best = {row[j], uncertainty};
    }
    if (best.uncertainty <= kEnough * std::abs(best.value)) break;
    above = row;
  }
  return best;
}

double length(const Tensor& v) { return v.norm().item<double>(); }

/// Orthonormal rows that span the directions along which one tensor of the
/// hyperparameters is differentiated, [k, n].
Tensor directions(const Tensor& gradient, std::int64_t few, const Key& key) {
  const Tensor own = gradient.reshape(-1);
  const std::int64_t n = own.numel();
  if (n <= few) return at::eye(n, own.options());
  Tensor rows = key.normal(own.new_empty({kRandomDirections, n}));
  if (length(own) > 0) rows = at::cat({own.unsqueeze(0), rows});
  return std::get<0>(at::linalg_qr(rows.t())).t().contiguous();
}

/// The derivative of L through all steps of the present run. About sqrt(steps)
/// states are kept.
Reference through_training(const TrainingLoop& loop, const InnerRun& run,
                           const WindowLoss& window_loss,
                           const ParameterSet& hyper) {
  const ParameterSet h = hyper.leaves();
  const TrainState start = loop.start(h, run.run_key());
  const std::int64_t steps = run.state().step;
  CheckpointedWindow window(CheckpointSchedule::square_root(steps), loop,
                            start.detach(), steps, hyper, run.run_key());
  const TrainState end = window.end();
  const ParameterSet s = end.joined().leaves();
  // A run that begins with each window may be shorter than the longest.
  const std::int64_t of_window = (steps - 1) % run.truncation().window + 1;
  Adjoint adjoint(loop, run.run_key(), hyper,
                  partials(window_loss(*loop.problem(), end.with(s), h,
                                       run.draw("valid"), of_window),
                           s, h));
  window.back(adjoint);
  adjoint.through(start.weights, h);
  return {adjoint.gradient(),
          fmt::format("backpropagation through {} training steps", steps)};
}

Reference by_implicit_system(const InnerRun& run, const ParameterSet& hyper,
                             Target target) {
  const bool fixed_point = target == Target::kFixedPoint;
  const ImplicitSystem system = fixed_point
                                    ? ImplicitSystem::fixed_point(run, hyper)
                                    : ImplicitSystem::stationarity(run, hyper);
  const ParameterSet w = run.state().weights.leaves(), h = hyper.leaves();
  const Partials direct =
      partials(run.loop().problem()->valid_loss(w, h, run.draw("valid")), w, h);
  const ParameterSet b = system.embed(direct.weights);
  const bool dense = b.numel() <= kDense;
  // The Jacobian of a fixed point is not symmetric, a Hessian is.
  const NamedSolver chosen = dense ? dense_solver()
                             : fixed_point
                                 ? gmres_solver(kIterations, kTolerance)
                                 : minres_solver(kIterations, kTolerance);
  const Solution q = chosen.solver->solve(system.transposed(), b);
  Reference out;
  if (q.status == Status::kDiverged) {
    out.how = "there is no exact implicit hypergradient here: " + q.trouble;
    return out;
  }
  out.gradient = direct.hyper - system.hyper_transposed(q.x);
  out.residual = q.residual;
  out.how = dense ? fmt::format("dense implicit solve, {} unknowns", b.numel())
                  : fmt::format("{}, {} unknowns, residual {:.1e}", chosen.name,
                                b.numel(), q.residual);
  return out;
}

}  // namespace

const char* to_string(Target target) {
  switch (target) {
    case Target::kTraining:
      return "training";
    case Target::kStationarity:
      return "stationarity";
    case Target::kFixedPoint:
      return "fixed_point";
    case Target::kOwn:
      return "own";
  }
  return "unknown";
}

Distance distance(const Tensor& estimate, const Tensor& reference) {
  const double g = length(estimate), r = length(reference);
  if (g == 0 && r == 0) return {0, 1, 1};
  return {length(estimate - reference) / r,
          at::dot(estimate, reference).item<double>() / (g * r), g / r};
}

Slope central_slope(const std::function<double(double)>& f) {
  constexpr double kLongest = 1e-2;
  if (f(kLongest) == f(-kLongest) && f(kLongest) == f(kLongest / 2)) {
    return {0, 0};  // constant
  }
  // From the longest to a step that crosses few of the kinks of a function that
  // has them (rectifiers).
  Slope best;
  for (const double first : {kLongest, 1e-4, 1e-6}) {
    const Slope slope = extrapolated_slope(f, first);
    if (slope.uncertainty < best.uncertainty) best = slope;
    if (best.uncertainty <= kEnough * std::abs(best.value)) break;
  }
  return best;
}

std::unique_ptr<HypergradientEstimator> asked(const Experiment& experiment,
                                              const Config& section,
                                              std::int64_t times,
                                              const std::optional<Key>& key) {
  auto estimator =
      EstimatorRegistry::instance().make(section, experiment.loop());
  const ParameterSet hyper = experiment.initial_hyper();
  estimator->begin(hyper, experiment.tuning_key());
  if (key) estimator->reseed(*key);
  while (times-- > 0) estimator->estimate(hyper);
  return estimator;
}

Draws draw_estimates(std::int64_t keys,
                     const std::function<ParameterSet(const Key&)>& ask) {
  std::vector<Tensor> draws;
  ParameterSet like;
  for (std::int64_t i = 0; i < keys; ++i) {
    like = ask(Key(1).fold("check").fold(static_cast<std::uint64_t>(i)));
    draws.push_back(like.flatten());
  }
  const Tensor all = at::stack(draws);
  const Tensor mean = all.mean(0);
  const auto n = static_cast<double>(keys);
  const Tensor squares =
      (all - mean).square().sum(1) * (n / std::max(1.0, n - 1));
  const auto variance = squares.mean().item<double>();
  const double error =
      keys > 1 ? squares.std().item<double>() / std::sqrt(n) : 0.0;
  return {like.unflatten(mean), std::sqrt(variance / n), std::sqrt(variance),
          variance > 0 ? std::exp(error / variance) : 1.0};
}

void require_tuning(const Experiment& experiment) {
  if (experiment.tunes()) return;
  throw ConfigError("/hyperparameters", "there is no hyperparameter to tune");
}

double ClaimPart::error() const { return length(estimate - reference); }

std::vector<ClaimPart> judge_claim(const ParameterSet& gradient,
                                   const Objective& claim,
                                   const ParameterSet& hyper,
                                   std::int64_t few) {
  std::vector<ClaimPart> out;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const Tensor& g = gradient.tensors()[i];
    const Tensor rows = directions(g, few, Key(1).fold(gradient.name(i)));
    ClaimPart part;
    part.name = gradient.name(i);
    part.directions = rows.size(0);
    part.all = part.directions == g.numel();
    part.estimate = at::mv(rows, g.reshape(-1));
    part.reference = at::empty_like(part.estimate);
    for (std::int64_t k = 0; k < part.directions; ++k) {
      const Tensor row = rows[k].view_as(g);
      const Slope slope = central_slope([&](double t) {
        std::vector<Tensor> moved = hyper.tensors();
        moved[i] = moved[i] + t * row;
        return claim(hyper.with(std::move(moved)));
      });
      part.reference[k] = slope.value;
      part.uncertainty = std::hypot(part.uncertainty, slope.uncertainty);
    }
    out.push_back(std::move(part));
  }
  return out;
}

Reference make_reference(const Experiment& experiment, const Config& estimator,
                         const ParameterSet& hyper, Target target,
                         std::int64_t turns) {
  Reference none;
  if (target == Target::kOwn) {
    none.how = "the method has an objective of its own";
    return none;
  }
  if (!experiment.problem().abilities().second_derivatives) {
    none.how = "training takes no derivatives";
    return none;
  }
  for (const Hyperparameter& h : experiment.problem().hyperparameters()) {
    if (h.differentiable || !hyper.contains(h.name)) continue;
    none.how =
        fmt::format("the training loss has no derivative by '{}'", h.name);
    return none;
  }
  const Truncation cut = Truncation::read(estimator);
  const WindowLoss window_loss(estimator);
  const TrainingLoop loop =
      target == Target::kTraining
          ? window_loss.loop(flattened(experiment.loop()), cut)
          : experiment.loop();
  InnerRun run(loop, cut);
  run.begin(hyper, experiment.tuning_key());
  for (std::int64_t i = 0; i < turns; ++i) run.advance(hyper);
  return target == Target::kTraining
             ? through_training(loop, run, window_loss, hyper)
             : by_implicit_system(run, hyper, target);
}

}  // namespace nestgrad
