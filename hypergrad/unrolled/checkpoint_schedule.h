#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/training_loop.h"
#include "hypergrad/adjoint.h"

namespace nestgrad {

/// How the states of a window of T steps are kept for the way back.
///
/// The window is cut into segments of `segment` steps, each of which is taped
/// in one go, the last one at once. The states that segments start from are
/// recovered by training again from kept ones, of which there are at most
/// `states` at a time, where the binomial schedule puts them (Griewank and
/// Walther 2000, "Algorithm 799: revolve"): it makes the fewest steps that this
/// many states allow.
struct CheckpointSchedule {
  std::int64_t segment = 1;
  std::int64_t states = 1;

  /// n states, segments of T / n steps: no state is recovered twice.
  static CheckpointSchedule equal(std::int64_t steps, std::int64_t n);

  /// About sqrt(T) states and segments of sqrt(T) steps.
  static CheckpointSchedule square_root(std::int64_t steps);

  /// About log2(T) states and segments of log2(T) steps.
  static CheckpointSchedule logarithmic(std::int64_t steps);

  /// The schedule with the fewest repeated steps of those that keep at most
  /// `bytes`, if a state has `state` bytes and a step on the tape `taped`; of
  /// segment 0 if none does.
  static CheckpointSchedule within(std::int64_t steps, double bytes,
                                   double state, double taped);

  /// How many training steps are made off the tape, in addition to those on it:
  /// the price of the schedule.
  std::int64_t steps_off_tape(std::int64_t steps) const;
};

/// Where to keep the next state on the way through n > 1 segments, with room
/// for `states` more besides that at the start: the number of segments before
/// it.
std::int64_t next_checkpoint(std::int64_t n, std::int64_t states);

/// How many segments are trained on the way back through n of them, with room
/// for `states` states besides the first.
std::int64_t repeated_segments(std::int64_t n, std::int64_t states);

/// A window that is trained forwards once and then gone back through.
class CheckpointedWindow {
 public:
  /// Trains the `steps` steps from `start`, which is off the tape. `loop`
  /// outlives this. With `off_tape`, which the loop can replay, the last
  /// segment is taped on the way back like the others, and not at once.
  CheckpointedWindow(const CheckpointSchedule& schedule,
                     const TrainingLoop& loop, const TrainState& start,
                     std::int64_t steps, const ParameterSet& hyper,
                     const Key& run, bool off_tape = false);

  /// Off the tape.
  TrainState end() const { return last_ ? last_->end.detach() : end_; }

  /// Takes the adjoint from end() back to the start. To be called once.
  void back(Adjoint& adjoint);

 private:
  struct Kept {
    TrainState state;
    std::int64_t segments;  // from here to the next state that is kept
    std::int64_t states;    // how many more fit on the way back through them
  };
  void back(const TrainState& state, std::int64_t n, std::int64_t states,
            Adjoint& adjoint);

  /// The state `segments` segments later.
  TrainState trained(const TrainState& state, std::int64_t segments) const {
    return loop_.steps(state, segments * segment_, hyper_, run_);
  }

  const TrainingLoop& loop_;
  ParameterSet hyper_;
  Key run_;
  std::int64_t segment_;
  std::vector<Kept> kept_;
  std::optional<TapedSteps> last_;  // segment
  // In its place with off_tape:
  TrainState last_start_, end_;
};

}  // namespace nestgrad
