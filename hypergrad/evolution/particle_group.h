#pragma once

#include "core/inner_run.h"
#include "hypergrad/evolution/objective.h"

namespace nestgrad {

/// A turn of a run: what its loss can be computed from again.
struct Turn {
  InnerRun run;  ///< as it stood before the turn
  Draw draw;     ///< what the validation loss drew

  /// The window of this turn. Where a run starts, `hyper` gives its weights.
  TrainingWindow window(const ParameterSet& hyper) const;
};

/// A group of M antithetic pairs of particles and one run without perturbation.
/// They all see the same minibatches and the same noise of training.
///
/// A tensor "of the pairs" has the pairs as its first axis. Where there are
/// several ranks, each trains a part of the pairs, and the run without
/// perturbation; noise, scores and losses are those of all pairs.
struct ParticleGroup {
  /// REQUIRES begin() or persist() before anything else.
  explicit ParticleGroup(const InnerRun& run)
      : base(run), particles(run), last{run, Draw()}, earlier{run, Draw()} {}

  /// Starts all runs afresh.
  void begin(const ParameterSet& hyper, std::int64_t pairs, const Key& key);

  /// Ends the first run after this number of steps, not at the horizon.
  void set_first_horizon(std::int64_t steps);

  /// Begins a new run: no perturbation has been seen yet.
  void reset(const ParameterSet& hyper);

  /// h + eps of every pair of this rank and then h - eps of every one.
  ParameterSet perturbed(const ParameterSet& hyper) const;

  /// Collective. The losses of all particles, [2 M], from those of this rank.
  Tensor losses_of_all(const Tensor& own) const;

  /// The present turn of the run without perturbation, and of the particles.
  Turn turn() const { return {base, base.draw("valid")}; }
  Turn particles_turn() const { return {particles, base.draw("valid")}; }

  /// Ends the present turn. `difference`: L+ - L- of the pairs.
  void finish_turn(const TrainState& base_end, const TrainState& particles_end,
                   const Tensor& difference);

  std::int64_t pairs() const { return difference.numel(); }

  /// The pairs that this rank trains.
  Division own() const { return {pairs(), base.loop().world()}; }
  std::int64_t own_particles() const { return 2 * own().count; }

  /// Collective while saving. Saves the particles of all ranks.
  void persist(Archive& archive);

  InnerRun base;       ///< the run without perturbation
  InnerRun particles;  ///< h + eps of this rank's pairs, then h - eps of them

  ParameterSet noise;          ///< of the pairs: eps of this window
  ParameterSet score;          ///< of the pairs: xi of this window
  ParameterSet earlier_score;  ///< xi of the window before; 0 after reset()
  Tensor difference;  ///< L+ - L- of the window before; 0 after reset()

  std::int64_t age = 0;      ///< windows that the present run has completed
  bool window_open = false;  ///< whether noise and score are of this window

  Turn last;     ///< the turn of the last estimate
  Turn earlier;  ///< the last turn of the window before that
};

}  // namespace nestgrad
