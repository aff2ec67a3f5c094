#include "hypergrad/unrolled/checkpoint_schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace nestgrad {
namespace {

std::int64_t divided_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// (a + b)! / (a! b!), or the largest double there is; 0 if a or b is negative.
double binomial(std::int64_t a, std::int64_t b) {
  if (a < 0 || b < 0) return 0;
  double out = 1;
  for (std::int64_t i = 1; i <= std::min(a, b); ++i) {
    out = std::round(out * static_cast<double>(std::max(a, b) + i) /
                     static_cast<double>(i));
  }
  return std::min(out, std::numeric_limits<double>::max());
}

}  // namespace

CheckpointSchedule CheckpointSchedule::equal(std::int64_t steps,
                                             std::int64_t n) {
  const std::int64_t states = std::min(steps, n);
  return {divided_up(steps, states), states};
}

CheckpointSchedule CheckpointSchedule::square_root(std::int64_t steps) {
  const auto root = static_cast<std::int64_t>(
      std::ceil(std::sqrt(static_cast<double>(steps))));
  return {root, root};
}

CheckpointSchedule CheckpointSchedule::logarithmic(std::int64_t steps) {
  const auto log = static_cast<std::int64_t>(
                       std::ceil(std::log2(static_cast<double>(steps)))) +
                   1;
  return {std::min(log, steps), log};
}

CheckpointSchedule CheckpointSchedule::within(std::int64_t steps, double bytes,
                                              double state, double taped) {
  CheckpointSchedule best{0, 0};
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  // From long segments to short ones, by about a tenth each time.
  for (std::int64_t segment = steps; segment >= 1;
       segment = std::min(segment - 1, segment * 9 / 10 + 1)) {
    const double left = bytes - static_cast<double>(segment) * taped;
    if (left < state) continue;
    const std::int64_t segments = divided_up(steps, segment);
    const CheckpointSchedule schedule{
        segment, left >= static_cast<double>(segments) * state
                     ? segments
                     : static_cast<std::int64_t>(left / state)};
    const std::int64_t made = schedule.steps_off_tape(steps);
    if (made < fewest) {
      fewest = made;
      best = schedule;
    }
  }
  return best;
}

std::int64_t CheckpointSchedule::steps_off_tape(std::int64_t steps) const {
  const std::int64_t n = divided_up(steps, segment);
  std::int64_t again = repeated_segments(n, states - 1);
  // The first pass has kept the states that the way back needs first, and has
  // the last segment on the tape.
  std::int64_t rest = n;
  for (std::int64_t free = states - 1; rest > 1 && free > 0; --free) {
    const std::int64_t m = next_checkpoint(rest, free);
    again -= m;
    rest -= m;
  }
  return segment * (n - 1 + again - (rest - 1));
}

std::int64_t repeated_segments(std::int64_t n, std::int64_t states) {
  if (n <= 1) return 0;
  if (states == 0) return n * (n - 1) / 2;
  if (states >= n - 1) return n - 1;
  const std::int64_t m = next_checkpoint(n, states);
  return m + repeated_segments(n - m, states - 1) +
         repeated_segments(m, states);
}

std::int64_t next_checkpoint(std::int64_t n, std::int64_t states) {
  if (states >= n - 1) return 1;
  // With c states in all, C(c + r, c) segments need no more than r passes over
  // any of them. See Griewank and Walther, section 3, for the three cases.
  const std::int64_t c = states + 1;
  std::int64_t r = 1;
  while (binomial(c, r) < static_cast<double>(n)) ++r;
  const auto left = static_cast<double>(n);
  if (left <= binomial(c, r - 1) + binomial(c - 2, r - 1)) {
    return static_cast<std::int64_t>(binomial(c, r - 2));
  }
  if (left >= binomial(c, r) - binomial(c - 3, r)) {
    return static_cast<std::int64_t>(binomial(c, r - 1));
  }
  return n - static_cast<std::int64_t>(binomial(c - 1, r - 1) +
                                       binomial(c - 2, r - 1));
}

CheckpointedWindow::CheckpointedWindow(const CheckpointSchedule& schedule,
                                       const TrainingLoop& loop,
                                       const TrainState& start,
                                       std::int64_t steps,
                                       const ParameterSet& hyper,
                                       const Key& run, bool off_tape)
    : loop_(loop), hyper_(hyper), run_(run), segment_(schedule.segment) {
  const std::int64_t end = start.step + steps;
  std::int64_t n = divided_up(steps, segment_), states = schedule.states - 1;
  TrainState state = start;
  while (n > 1 && states > 0) {
    const std::int64_t m = next_checkpoint(n, states);
    kept_.push_back({state, m, states});
    state = trained(state, m);
    n -= m;
    --states;
  }
  if (n > 1) {
    kept_.push_back({state, n - 1, 0});
    state = trained(state, n - 1);
  }
  if (off_tape) {
    last_start_ = state;
    end_ = loop_.steps(state, end - state.step, hyper_, run_);
  } else {
    last_.emplace(loop_, state, end - state.step, hyper_, run_);
  }
}

void CheckpointedWindow::back(Adjoint& adjoint) {
  if (last_) {
    adjoint.through(*last_);
    last_.reset();
  } else {
    adjoint.through(last_start_, end_.step - last_start_.step);
  }
  for (; !kept_.empty(); kept_.pop_back()) {
    const Kept last = kept_.back();
    back(last.state, last.segments, last.states, adjoint);
  }
}

void CheckpointedWindow::back(const TrainState& state, std::int64_t n,
                              std::int64_t states, Adjoint& adjoint) {
  if (n == 1) {
    adjoint.through(state, segment_);
  } else if (states == 0) {
    for (; n > 1; --n) {
      back(trained(state, n - 1), 1, 0, adjoint);
    }
    back(state, 1, 0, adjoint);
  } else {
    const std::int64_t m = next_checkpoint(n, states);
    back(trained(state, m), n - m, states - 1, adjoint);
    back(state, m, states, adjoint);
  }
}

}  // namespace nestgrad
