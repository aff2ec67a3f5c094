#pragma once

#include <cstdint>

#include "core/config/schema.h"
#include "core/storage/archive.h"
#include "core/training_loop.h"

namespace nestgrad {

/// How inner training is cut into windows, one per hypergradient.
///
///   horizon == window   cold start: every window is a whole training run
///   horizon == 0        warm start: one run that never restarts
///   otherwise           truncation: runs of `horizon` steps, in windows
struct Truncation {
  std::int64_t window = 10;
  std::int64_t horizon = 0;

  /// Number of outer steps per window, before training moves on. With many, the
  /// outer problem is nearly solved for each window.
  std::int64_t outer_steps_per_window = 1;

  /// Number of different starts (initial weights and training noise) that
  /// restarted runs cycle through. 1: a restarted run repeats the first one
  /// exactly. 0: every start is new.
  std::int64_t starts = 3;

  /// In cold start, the least length of a window. If positive, each window's
  /// length is drawn from here to `window`. 0: always `window`.
  std::int64_t shortest = 0;

  /// Length of the first run, if it differs from the horizon; 0: it does not.
  std::int64_t first_horizon = 0;

  /// Number of runs of which each estimate takes one; see make_with_pool().
  std::int64_t pool = 1;

  bool cold() const { return horizon == window; }
  bool truncated() const { return horizon > window; }

  /// Whether windows begin from several starts in turn, which come again.
  bool cycles() const { return cold() && starts > 1; }

  /// Whether windows come again: from the same step of the same start.
  bool repeats() const {
    return outer_steps_per_window > 1 || (horizon > 0 && starts > 0);
  }

  /// The keys of a configuration for a Truncation. Every estimator has them.
  static Schema schema();
  static Truncation read(const Config& config);
};

/// The position of one inner training run. A value: copy it to branch off (a
/// perturbed particle, a look-ahead).
///
/// A run proceeds in turns, one per hypergradient. In every
/// `outer_steps_per_window` turns the weights move by one window. advance()
/// moves them at the first of these turns, because a look at the end of the
/// window follows; unroll() and finish_turn() move them at the last, because
/// each turn goes through the same window again. When a run has reached the
/// horizon, the next window starts a new run.
class InnerRun {
 public:
  /// The loop outlives this run. REQUIRES begin() before anything else.
  InnerRun(const TrainingLoop& loop, Truncation truncation)
      : loop_(&loop),
        truncation_(truncation),
        first_horizon_(truncation.first_horizon) {}

  /// With `particles`, runs this many particles; see TrainingLoop::start().
  void begin(const ParameterSet& hyper, const Key& key,
             std::int64_t particles = 0);

  /// This many particles, each at the position of this run.
  InnerRun branched(std::int64_t particles) const;

  /// This run with another state of the same step: other particles.
  InnerRun with_state(TrainState state) const;

  /// Sets the length of the first run, in steps, if it differs from the
  /// horizon.
  void set_first_horizon(std::int64_t steps) { first_horizon_ = steps; }

  /// The training state at the end of the last window.
  const TrainState& state() const { return state_; }

  /// The state that training in the last turn has led to: that of the run or,
  /// after a turn that did not move it, the end of the window.
  const TrainState& reached() const {
    return ahead_.weights.empty() ? state_ : ahead_;
  }

  /// In cold start, which of several starts the run of reached() has; else 0.
  std::int64_t start() const;

  /// The weights of reached() as a model would use them. In cold start from
  /// several starts, those of a run as long from the first one, so that they
  /// can be compared with others; it is trained under `hyper` if it has to be.
  ParameterSet deployed(const ParameterSet& hyper) const;

  /// Takes a turn off the tape: trains for one window, or stays if this turn
  /// does not move. Returns whether it moved.
  bool advance(const ParameterSet& hyper);

  /// Number of training steps in this turn's window.
  std::int64_t length() const;

  /// Trains through this turn's window, on the tape of `hyper` if wanted, and
  /// returns the end. Does not move this run.
  TrainState unroll(const ParameterSet& hyper, Tape tape) const;

  /// The state at the start of this turn's window, and the key of its run. For
  /// methods that take the steps of unroll() themselves. On the tape of `hyper`
  /// if a run starts here and its initial weights depend on it.
  std::pair<TrainState, Key> window_start(const ParameterSet& hyper) const;

  /// Whether this turn's window is the first of a run.
  bool starts_again() const;

  /// Ends a turn whose window was trained by unroll(): moves to `end`, off the
  /// tape, or stays if this turn does not move. Returns whether it moved.
  bool finish_turn(const TrainState& end);

  /// A draw for a purpose other than training in this turn, e.g. "valid".
  Draw draw(std::string_view purpose) const;

  /// The key of the present run's steps.
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
  std::int64_t episode_ = -1;  // -1: no run has begun
  TrainState state_;
  TrainState ahead_;  // reached() where the run has not moved; without slots
  std::int64_t first_horizon_ = 0;  // 0: the same as the others
};

}  // namespace nestgrad
