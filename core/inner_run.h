#pragma once

#include <cstdint>

#include "core/config/schema.h"
#include "core/storage/archive.h"
#include "core/training_loop.h"

namespace nestgrad {

/// How inner training is cut into pieces, one piece per hypergradient.
///
///   horizon == window   cold start: every piece is a whole training run
///   horizon == 0        warm start: one run that never starts again
///   otherwise           truncation: a run of `horizon` steps, in windows
struct Truncation {
  std::int64_t window = 10;
  std::int64_t horizon = 0;

  /// How often hyperparameters move before training goes on: an outer problem
  /// that is nearly solved again and again between pieces of training.
  std::int64_t outer_steps_per_window = 1;

  /// Among how many starts runs take turns: initial weights, and the noise of
  /// training. 1: a run that starts again repeats the first one exactly; 0:
  /// none is repeated.
  std::int64_t starts = 1;

  /// In cold start, the least length of a window, which is then drawn anew for
  /// every run, from here to `window`. 0: always `window`.
  std::int64_t shortest = 0;

  bool cold() const { return horizon == window; }

  /// The keys of a configuration that say this; every estimator has them.
  static Schema schema();
  static Truncation read(const Config& config);
};

/// Where one inner training run stands. A value: copy it to branch off (a
/// perturbed particle, a look-ahead).
///
/// A run goes from turn to turn, one per hypergradient. In every
/// `outer_steps_per_window` turns the weights move by one window: with
/// advance() at the first of them, since what follows is asked at its end; with
/// unroll() and finish_turn() at the last, since each turn goes through the
/// same window again. When a run has reached the horizon, its next window
/// starts a new one.
class InnerRun {
 public:
  /// The loop outlives this run. REQUIRES begin() before anything else.
  InnerRun(const TrainingLoop& loop, Truncation truncation)
      : loop_(&loop), truncation_(truncation) {}

  /// With `particles`, it is the run of so many; see TrainingLoop::start().
  void begin(const ParameterSet& hyper, const Key& key,
             std::int64_t particles = 0);

  /// So many particles that all stand where this run stands.
  InnerRun branched(std::int64_t particles) const;

  /// The length of the first run, in steps, if it is another than the horizon.
  void set_first_horizon(std::int64_t steps) { first_horizon_ = steps; }

  /// Where training stands: the end of the last window.
  const TrainState& state() const { return state_; }

  /// The weights as a model would use them.
  ParameterSet deployed(const ParameterSet& hyper) const;

  /// Takes a turn off the tape: trains for one window or, if it is not time
  /// yet, stays. Returns whether it moved.
  bool advance(const ParameterSet& hyper);

  /// Training steps of this turn's window.
  std::int64_t length() const;

  /// The window of this turn, on the tape of `hyper` if wanted; this run does
  /// not move.
  TrainState unroll(const ParameterSet& hyper, Tape tape) const;

  /// The state that this turn's window starts from, and the key of its run:
  /// what unroll() steps from, for methods that step themselves. On the tape of
  /// `hyper` if a run starts and its initial weights depend on it.
  std::pair<TrainState, Key> window_start(const ParameterSet& hyper) const;

  /// Whether this turn's window is the first of a run.
  bool starts_again() const;

  /// Ends a turn whose window was trained by unroll(): moves to `end`, off the
  /// tape or, if it is not time yet, stays. Returns whether it moved.
  bool finish_turn(const TrainState& end);

  /// A draw for something other than training in this turn, e.g. "valid".
  Draw draw(std::string_view purpose) const;

  /// What the steps of the present run follow.
  Key run_key() const;

  const TrainingLoop& loop() const { return *loop_; }
  const Truncation& truncation() const { return truncation_; }

  void persist(Archive& archive);

 private:
  void move_to(const TrainState& end);
  std::int64_t next_episode() const;
  Key episode_key(std::int64_t episode) const;

  const TrainingLoop* loop_;
  Truncation truncation_;
  Key key_;
  std::int64_t turn_ = 0;
  std::int64_t episode_ = -1;  // none has begun
  TrainState state_;
  std::int64_t first_horizon_ = 0;  // 0: the horizon
};

}  // namespace nestgrad
