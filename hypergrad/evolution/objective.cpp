#include "hypergrad/evolution/objective.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "core/metric.h"
#include "core/particles.h"

namespace nestgrad {

EvolutionObjective::EvolutionObjective(const Config& config,
                                       const TrainingLoop& loop)
    : loop_(loop), metric_(config.has("metric") ? config.text("metric") : "") {}

bool EvolutionObjective::differentiable() const {
  return !has_metric() && loop_.problem()->abilities().second_derivatives;
}

void EvolutionObjective::require_metric(const ParameterSet& weights,
                                        const ParameterSet& hyper) const {
  if (has_metric()) value_of_metric(weights, hyper);
}

double EvolutionObjective::value_of_metric(const ParameterSet& weights,
                                           const ParameterSet& hyper) const {
  const BilevelProblem& problem = *loop_.problem();
  const Metrics metrics =
      problem.evaluate(problem.deployed(weights, hyper), hyper);
  const auto found = metrics.find(metric_);
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) names.push_back(name);
  require(found != metrics.end(), "there is no metric '{}'; there are: {}",
          metric_, fmt::join(names, ", "));
  return to_minimize(metric_, found->second);
}

Tensor EvolutionObjective::losses(const TrainState& state,
                                  const ParameterSet& hyper, Draw draw,
                                  Tape tape) const {
  const at::AutoGradMode mode(tape == Tape::kOn);
  draw.particles = state.particles;
  if (!has_metric()) {
    return valid_losses(*loop_.problem(), state.weights, hyper, draw);
  }
  if (state.particles == 0) {
    return at::scalar_tensor(value_of_metric(state.weights, hyper),
                             at::kDouble);
  }
  std::vector<double> out;
  for (std::int64_t i = 0; i < state.particles; ++i) {
    out.push_back(
        value_of_metric(particle(state.weights, i), particle(hyper, i)));
  }
  return at::tensor(out, at::kDouble);
}

LossOrMetric::LossOrMetric(const Config& config, const TrainingLoop& loop)
    : EvolutionObjective(config, loop), window_loss_(config) {
  if (has_metric() && !window_loss_.at_end()) {
    config.fail("objective",
                "must be \"last\" with a metric, which is that of the "
                "window's end");
  }
}

EvolutionObjective::Outcome LossOrMetric::of_window(
    const TrainingWindow& window, const ParameterSet& hyper, Tape tape) const {
  const TrainState end =
      loop().steps(window.start, window.steps, hyper, window.runs, tape);
  if (window_loss_.at_end()) {
    return {end, losses(end, hyper, window.draw, tape)};
  }
  return {end, window_loss_(*loop().problem(), end, hyper, window.draw,
                            window.steps)};
}

}  // namespace nestgrad
