#pragma once

#include <memory>
#include <vector>

#include "hypergrad/evolution/objective.h"
#include "hypergrad/evolution/pair_losses.h"
#include "hypergrad/evolution/particle_group.h"
#include "hypergrad/hyper_limit.h"
#include "hypergrad/single_run.h"

namespace nestgrad {

/// Base of the evolution strategies, which need only values of the loss:
///
///   g = 1 / (2 M sigma^2) sum_m xi_m (L(h + eps_m) - L(h - eps_m))
///
/// over M antithetic pairs of perturbations eps ~ N(0, sigma^2), in the
/// coordinates in which hyperparameters are tuned. It is an unbiased estimate
/// of the gradient of the smoothed loss E L(h + eps). No derivative is taken,
/// so the loss may be an accuracy and training may explode; the variance grows
/// with the number of hyperparameters.
///
/// A subclass says where the particles start a window and what the score xi of
/// a pair is. What L is, an EvolutionObjective says. A pair with a loss that is
/// not finite is left out and counted.
///
/// There may be several groups of particles, each with its own minibatches;
/// their gradients are averaged. Groups that are "staggered" stand at different
/// places of their runs, so that every estimate sees all of training: group c
/// of C ends its first run after (c + 1) / C of the horizon.
///
/// Each group has one more run, without perturbation. These runs give the
/// objective, and that of the first group gives the weights.
///
/// Ranks that divide particles divide the pairs, and exchange nothing but
/// losses.
class Evolution : public SingleRun {
 public:
  void begin(const ParameterSet& hyper, const Key& key) override;
  Estimate estimate(const ParameterSet& hyper) override;
  void persist(Archive& archive) override;

  bool divides_work() const override { return true; }
  bool differentiates_training() const override { return false; }
  Target target() const override { return objective_->target(); }
  std::string metric() const override { return objective_->metric(); }

  /// expectation(), if the objective is differentiable.
  Objective mean_claim() const final;

  bool reseed(const Key& key) override;
  Footprint footprint() const override;

 protected:
  /// Adds the keys that every evolution strategy has.
  static Schema with_common_keys(Schema schema);

  /// Minimises `objective`, by default LossOrMetric, for which a schema may add
  /// WindowLoss::key().
  Evolution(const Config& config, const TrainingLoop& loop,
            std::shared_ptr<const EvolutionObjective> objective = nullptr);

  /// Called before a window begins: sets the group's particles, noise and
  /// score. `fresh` is new perturbations eps, which may be taken or not.
  virtual void begin_window(ParticleGroup& group,
                            const ParameterSet& fresh) const = 0;

  /// The gradient that one group estimates. `slope` is the derivative of the
  /// objective through the run without perturbation if with_slope(), else 0.
  virtual ParameterSet formula(const ParticleGroup& group,
                               const PairLosses& losses,
                               const ParameterSet& slope) const;
  virtual bool with_slope() const { return false; }

  /// 1 / (2 M sigma^2), for the M pairs that are not left out.
  double factor(const PairLosses& losses) const;

  /// h -> what the last estimate is the derivative of on average, apart from
  /// smoothing by sigma. of_window(), of_run() or made of them.
  virtual Objective expectation() const = 0;

  // h -> the objective, averaged over groups, if h is used ...
  Objective of_window() const;      // ... in the last window alone;
  Objective of_run() const;         // ... since the start of its run;
  Objective of_run_before() const;  // the same for the window before; 0 if none

  std::int64_t particles() const { return 2 * pairs_; }

 private:
  /// What training through a window gave one group.
  struct Trained {
    EvolutionObjective::Outcome particles;
    TrainState end;  // of the run without perturbation
    Number loss;     // the objective there
    ParameterSet slope;
  };

  /// What one group contributes to an estimate.
  Estimate estimate(ParticleGroup& group, const Trained& trained,
                    const ParameterSet& hyper) const;
  void open_window(ParticleGroup& group, std::size_t number,
                   const ParameterSet& hyper) const;

  /// Trains the groups from number `first` on, `count` of them or all that are
  /// left, through their windows. More than one only if joins(count).
  std::vector<Trained> trained(std::size_t first, std::size_t count,
                               const ParameterSet& hyper) const;

  /// Whether the runs without perturbation join the particles of so many
  /// groups: where operators take less time on all of them than one by one.
  bool joins(std::size_t groups) const;

  /// How many groups train together.
  std::size_t groups_at_once() const;

  /// All of Trained but the particles.
  Trained unperturbed(const ParticleGroup& group,
                      const ParameterSet& hyper) const;

  /// The objective in a window.
  double loss(const TrainingWindow& window, const ParameterSet& hyper) const;

  /// The window of `turn` after all of its run so far has been trained again
  /// under `hyper`.
  TrainingWindow retrained(const Turn& turn, const ParameterSet& hyper) const;

  template <class F>
  Objective mean_over_groups(F loss_of_group) const;

  double sigma_;
  std::int64_t pairs_;
  HyperLimit limit_;
  bool normalized_, staggered_;
  std::shared_ptr<const EvolutionObjective> objective_;
  std::vector<ParticleGroup> groups_;
  Key noise_key_;
  std::int64_t windows_ = 0;  // estimates so far
};

}  // namespace nestgrad
