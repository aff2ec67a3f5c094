#pragma once

#include <string>

#include "core/training_loop.h"
#include "hypergrad/estimator.h"
#include "hypergrad/window_loss.h"

namespace nestgrad {

/// A window of training: `steps` steps from `start`, one run or many particles.
struct TrainingWindow {
  TrainState start;
  std::int64_t steps = 0;
  Runs runs;  ///< what the steps follow
  Draw draw;  ///< what a validation loss in this window draws
};

/// What an evolution strategy minimises: a number for one window of training.
///
/// The number may depend on the weights at every step of the window, since
/// of_window() does the training. To minimise something else than WindowLoss,
/// override of_window() and give the objective to the constructor of Evolution.
class EvolutionObjective {
 public:
  struct Outcome {
    TrainState end;  ///< the state at the end of the window
    Tensor losses;   ///< a scalar, or [particles] if the window has particles
  };

  /// Reads the key "metric" of an estimator's section. The loop outlives this.
  EvolutionObjective(const Config& config, const TrainingLoop& loop);
  virtual ~EvolutionObjective() = default;

  /// Trains through the window and returns its end and its losses. With the
  /// tape on, both are differentiable functions of `hyper`.
  virtual Outcome of_window(const TrainingWindow& window,
                            const ParameterSet& hyper, Tape tape) const = 0;

  /// Whether of_window() may be given a window whose particles are groups of
  /// several runs, with a run without perturbation as the last one of each.
  /// What it returns for a particle then depends on no other, and knows from
  /// window.runs how many steps a group is ahead of the state's.
  virtual bool takes_groups() const { return false; }

  /// What the bias of the estimates is measured against.
  virtual Target target() const { return Target::kOwn; }

  /// Whether central differences of the objective mean anything: not those of
  /// a metric, nor those of a problem without second derivatives.
  virtual bool differentiable() const;

  /// The metric that takes the place of the validation loss; "" if none does.
  const std::string& metric() const { return metric_; }

  /// Throws Error if the problem lacks the configured metric.
  void require_metric(const ParameterSet& weights,
                      const ParameterSet& hyper) const;

 protected:
  const TrainingLoop& loop() const { return loop_; }
  bool has_metric() const { return !metric_.empty(); }

  /// The validation loss at the weights of `state`, or the metric if there is
  /// one: a scalar, or one number for each particle of `state`, [particles].
  Tensor losses(const TrainState& state, const ParameterSet& hyper, Draw draw,
                Tape tape) const;

 private:
  double value_of_metric(const ParameterSet& weights,
                         const ParameterSet& hyper) const;

  const TrainingLoop& loop_;
  std::string metric_;  // "" for the validation loss
};

/// The WindowLoss, or the metric at the end of the window.
class LossOrMetric : public EvolutionObjective {
 public:
  /// Throws ConfigError for a metric with an "objective" other than "last". The
  /// loop is that of WindowLoss.
  LossOrMetric(const Config& config, const TrainingLoop& loop);

  Outcome of_window(const TrainingWindow& window, const ParameterSet& hyper,
                    Tape tape) const override;

  bool takes_groups() const override { return true; }

  /// A metric is not what a hypergradient of the validation loss belongs to.
  Target target() const override {
    return has_metric() ? Target::kOwn : Target::kTraining;
  }

 private:
  WindowLoss window_loss_;
};

}  // namespace nestgrad
