#include "core/inner_run.h"

#include <ATen/ATen.h>

#include "core/particles.h"

namespace nestgrad {

Schema Truncation::schema() {
  return Schema("How inner training is cut into windows.")
      .integer("window", 10,
               "Inner training steps per window. Every window ends with an "
               "estimate.",
               at_least(1))
      .integer("horizon", 0,
               "Length of an inner run, in steps. 0 is warm start (one run "
               "that never restarts), equal to `window` is cold start (every "
               "window restarts), in between is truncation.",
               at_least(0))
      .integer(
          "outer_steps_per_window", 1,
          "Number of outer steps before training moves on to the next window.",
          at_least(1))
      .integer("starts", 3,
               "Number of different starts (initial weights and orders of "
               "noise) that restarted runs cycle through. 1: all runs start "
               "alike; 0: each run has a new start.",
               at_least(0))
      .integer("shortest", 0,
               "In cold start, the least number of steps of a window: the "
               "length of each window is drawn from here to `window`. 0: all "
               "windows have `window` steps.",
               at_least(0))
      .integer("first_horizon", 0,
               "Length of the first run, in steps, if it differs from "
               "`horizon`; 0: it does not.",
               at_least(0))
      .integer("pool", 1,
               "Number of inner runs; each estimate takes one of them at "
               "random, and their ages are spread over the horizon.",
               at_least(1));
}

Truncation Truncation::read(const Config& config) {
  Truncation out;
  out.window = config.integer("window");
  out.horizon = config.integer("horizon");
  out.outer_steps_per_window = config.integer("outer_steps_per_window");
  out.starts = config.integer("starts");
  out.shortest = config.integer("shortest");
  out.first_horizon = config.integer("first_horizon");
  out.pool = config.integer("pool");
  if (out.first_horizon % out.window != 0 || out.first_horizon > out.horizon) {
    config.fail("first_horizon",
                fmt::format("must be a multiple of the window, {}, up to the "
                            "horizon, {}; is {}",
                            out.window, out.horizon, out.first_horizon));
  }
  if (out.horizon % out.window != 0) {
    config.fail("horizon", fmt::format("must be 0 or a multiple of the window, "
                                       "{}; is {}",
                                       out.window, out.horizon));
  }
  if (out.shortest > 0 && !out.cold()) {
    config.fail(
        "shortest",
        "is only allowed in cold start: the horizon must equal the window");
  }
  if (out.shortest > out.window) {
    config.fail("shortest", fmt::format("must be at most the window, {}; is {}",
                                        out.window, out.shortest));
  }
  return out;
}

void InnerRun::begin(const ParameterSet& hyper, const Key& key,
                     std::int64_t particles) {
  key_ = key;
  turn_ = 0;
  episode_ = -1;
  state_ = loop_->start(hyper, episode_key(0), particles).detach();
  ahead_ = {};
}

InnerRun InnerRun::branched(std::int64_t particles) const {
  return with_state({repeated(state_.weights, particles),
                     repeated(state_.slots, particles), state_.step,
                     particles});
}

InnerRun InnerRun::with_state(TrainState state) const {
  InnerRun out = *this;
  out.state_ = std::move(state);
  return out;
}

ParameterSet InnerRun::deployed(const ParameterSet& hyper) const {
  TrainState end = reached();
  if (start() != 0) {
    const ParameterSet h = hyper.detach();
    const Key key = episode_key(0);
    const TrainingLoop own = loop_->on_this_rank();
    end = own.steps(own.start(h, key).detach(), end.step, h, key);
  }
  return loop_->problem()->deployed(end.weights, hyper).detach();
}

bool InnerRun::starts_again() const {
  const std::int64_t horizon = episode_ == 0 && first_horizon_ > 0
                                   ? first_horizon_
                                   : truncation_.horizon;
  return episode_ < 0 || truncation_.cold() ||
         (horizon > 0 && state_.step >= horizon);
}

std::int64_t InnerRun::next_episode() const {
  return starts_again() ? episode_ + 1 : episode_;
}

Key InnerRun::episode_key(std::int64_t episode) const {
  const std::int64_t starts = truncation_.starts;
  return key_.fold("episode").fold(
      static_cast<std::uint64_t>(starts == 0 ? episode : episode % starts));
}

std::int64_t InnerRun::start() const {
  if (!truncation_.cycles()) return 0;
  const std::int64_t episode = ahead_.weights.empty() ? episode_ : episode_ + 1;
  return std::max<std::int64_t>(episode, 0) % truncation_.starts;
}

Key InnerRun::run_key() const {
  return episode_key(std::max<std::int64_t>(episode_, 0));
}

std::int64_t InnerRun::length() const {
  const std::int64_t least = truncation_.shortest, most = truncation_.window;
  if (least == 0) return most;
  const Key key =
      key_.fold("length").fold(static_cast<std::uint64_t>(next_episode()));
  const auto u = key.uniform(at::empty({}, at::kDouble)).item<double>();
  return least +
         static_cast<std::int64_t>(u * static_cast<double>(most - least + 1));
}

std::pair<TrainState, Key> InnerRun::window_start(
    const ParameterSet& hyper) const {
  if (!starts_again()) return {state_, run_key()};
  const Key key = episode_key(next_episode());
  return {loop_->start(hyper, key, state_.particles), key};
}

bool InnerRun::advance(const ParameterSet& hyper) {
  const bool moves = turn_++ % truncation_.outer_steps_per_window == 0;
  if (moves) move_to(unroll(hyper, Tape::kOff));
  return moves;
}

TrainState InnerRun::unroll(const ParameterSet& hyper, Tape tape) const {
  const auto [start, key] = window_start(hyper);
  return loop_->steps(start, length(), hyper, key, tape);
}

void InnerRun::move_to(const TrainState& end) {
  episode_ = next_episode();
  state_ = end.detach();
  ahead_ = {};
}

bool InnerRun::finish_turn(const TrainState& end) {
  const bool moves = ++turn_ % truncation_.outer_steps_per_window == 0;
  if (moves) {
    move_to(end);
  } else if (end.particles == 0) {
    ahead_ = {end.weights.detach(), {}, end.step};
  }
  return moves;
}

Draw InnerRun::draw(std::string_view purpose) const {
  return {turn_,
          run_key().fold(purpose).fold(static_cast<std::uint64_t>(turn_))};
}

void InnerRun::persist(Archive& archive) {
  archive("key", key_);
  archive("turn", turn_);
  archive("episode", episode_);
  archive("state", state_);
  if (truncation_.outer_steps_per_window > 1) archive("ahead", ahead_);
  archive("first_horizon", first_horizon_);
}

}  // namespace nestgrad
