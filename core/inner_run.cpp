#include "core/inner_run.h"

namespace nestgrad {

Schema Truncation::schema() {
  return Schema("How inner training is cut into pieces.")
      .integer("window", 10,
               "Inner training steps per window; an estimate is made at the "
               "end of each.",
               at_least(1))
      .integer("horizon", 0,
               "Length of an inner run, in steps: 0 is warm start (one run "
               "that never starts again), equal to `window` is cold start "
               "(every window starts again), in between is truncation.",
               at_least(0))
      .integer("outer_steps_per_window", 1,
               "How often the hyperparameters move before training goes on.",
               at_least(1))
      .boolean("fresh_starts", false,
               "Whether a run that starts again does so at new initial "
               "weights; otherwise at the same as the first.");
}

Truncation Truncation::read(const Config& config) {
  Truncation out;
  out.window = config.integer("window");
  out.horizon = config.integer("horizon");
  out.outer_steps_per_window = config.integer("outer_steps_per_window");
  out.fresh_starts = config.boolean("fresh_starts");
  if (out.horizon % out.window != 0) {
    config.fail("horizon", fmt::format("must be 0 or a multiple of the window, "
                                       "{}; is {}",
                                       out.window, out.horizon));
  }
  return out;
}

void InnerRun::begin(const ParameterSet& hyper, const Key& key) {
  key_ = key;
  turn_ = 0;
  episode_ = -1;
  state_ = loop_->start(hyper, episode_key(0)).detach();
}

ParameterSet InnerRun::deployed(const ParameterSet& hyper) const {
  return loop_->problem()->deployed(state_.weights, hyper).detach();
}

bool InnerRun::starts_again() const {
  return episode_ < 0 ||
         (truncation_.horizon > 0 && state_.step >= truncation_.horizon);
}

Key InnerRun::episode_key(std::int64_t episode) const {
  return key_.fold("episode").fold(
      truncation_.fresh_starts ? static_cast<std::uint64_t>(episode) : 0);
}

Key InnerRun::run_key() const {
  return episode_key(std::max<std::int64_t>(episode_, 0));
}

std::pair<TrainState, Key> InnerRun::window_start(
    const ParameterSet& hyper) const {
  if (!starts_again()) return {state_, run_key()};
  const Key key = episode_key(episode_ + 1);
  return {loop_->start(hyper, key), key};
}

bool InnerRun::advance(const ParameterSet& hyper) {
  const bool moves = turn_++ % truncation_.outer_steps_per_window == 0;
  if (moves) move_to(unroll(hyper, Tape::kOff));
  return moves;
}

TrainState InnerRun::unroll(const ParameterSet& hyper, Tape tape) const {
  const auto [start, key] = window_start(hyper);
  return loop_->steps(start, truncation_.window, hyper, key, tape);
}

void InnerRun::move_to(const TrainState& end) {
  if (starts_again()) ++episode_;
  state_ = end.detach();
}

void InnerRun::finish_turn(const TrainState& end) {
  const bool moves = ++turn_ % truncation_.outer_steps_per_window == 0;
  if (moves) move_to(end);
}

Draw InnerRun::draw(std::string_view purpose) const {
  return {turn_,
          run_key().fold(purpose).fold(static_cast<std::uint64_t>(turn_))};
}

void InnerRun::persist(Archive& archive) {
  auto key = static_cast<std::int64_t>(key_.bits());
  archive("key", key);
  key_ = Key(static_cast<std::uint64_t>(key));
  archive("turn", turn_);
  archive("episode", episode_);
  archive("state", state_);
}

}  // namespace nestgrad
