#include <ATen/ATen.h>

#include <optional>

#include "core/platform/memory_meter.h"
#include "core/tensor/autodiff.h"
#include "hypergrad/unrolled/checkpoint_schedule.h"
#include "hypergrad/unrolled/metagradients.h"
#include "hypergrad/unrolled/window_estimator.h"

namespace nestgrad {
namespace {

/// Backpropagation through a window of inner training (Domke 2012; Maclaurin,
/// Duvenaud and Adams 2015):
///
///   g = d L(w_T(h), h) / dh,   w_{t+1} = step(w_t, h),   w_0 constant
///
/// Exact for what it differentiates: the window, or its last K steps (Shaban,
/// Cheng, Hatch and Boots 2019, "Truncated back-propagation for bilevel
/// optimization"; DRaFT-K of Clark et al. 2024; with windows of random length
/// RaT-BPTT of Feng, Vedantam and Kempe 2024, "Embarrassingly simple dataset
/// distillation"). In cold start the window is all of training. On one tape,
/// memory grows in proportion to the steps; with checkpoints, some states are
/// kept and the rest is trained again.
class Unrolled : public WindowEstimator {
 public:
  Unrolled(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop),
        last_(config.integer("last")),
        checkpoints_(config.value("checkpoints")) {
    const Truncation& cut = run_.truncation();
    const std::int64_t least = cut.shortest > 0 ? cut.shortest : cut.window;
    if (last_ > least) {
      config.fail("last", fmt::format("must be at most the window, {}; is {}",
                                      least, last_));
    }
    steps_ = last_ == 0 ? cut.window : last_;
    const bool chosen = checkpoints_ != "none";
    if ((chosen || config.has("memory_mib")) && cut.shortest > 0 &&
        last_ == 0) {
      config.fail("shortest",
                  "with checkpoints needs \"last\", which says how many steps "
                  "they are for");
    }
    if (config.has("memory_mib")) {
      if (chosen) {
        config.fail("memory_mib",
                    "chooses the checkpoints; leave out one of the two");
      }
      budget_ = config.number("memory_mib") * 1024 * 1024;
    } else {
      schedule_ = chosen_schedule(steps_);
    }
  }

  static Schema schema() {
    return Schema("Backpropagation through a window of inner training.")
        .also(WindowLoss::key())
        .integer("last", 0,
                 "Steps of the window that are differentiated, counted from "
                 "its end; 0: all.",
                 at_least(0))
        .number("checkpoints", "none",
                "Training states that are kept for the way back; the others "
                "are trained again, which saves memory: a number, sqrt (of the "
                "steps), log (to "
                "base 2; steps are trained again several times) or all (each "
                "step is taped alone); none: everything is on one tape.",
                at_least(1), {"none", "all", "sqrt", "log"})
        .number("memory_mib", kAbsent,
                "Memory for the way back, in MiB: the checkpoints are chosen "
                "that take the least time in it.",
                above(0));
  }

  /// h -> L(w_T(h), h), with the state before the last K steps constant.
  Objective claim() const override {
    if (last_ == 0) return WindowEstimator::claim();
    return [this](const ParameterSet& hyper) {
      const ParameterSet h = hyper.detach();
      return value(loop_.steps(from_, steps_, h, key_), h);
    };
  }

  /// With checkpoints in any case: sqrt, unless others are chosen.
  std::unique_ptr<AttributionPass> attribute(
      const AttributionTask& task) const override {
    require(last_ == 0,
            "\"last\" of the estimator must be 0 here: the derivative is taken "
            "back through all of training");
    return std::make_unique<Metagradients>(
        loop_, task,
        chosen_schedule(task.steps)
            .value_or(CheckpointSchedule::square_root(task.steps)));
  }

  Footprint footprint() const override {
    const std::int64_t before = run_.truncation().window - steps_;
    if (!schedule_ && !replays()) {
      return {before + steps_, steps_, steps_, 0};
    }
    const CheckpointSchedule schedule = schedule_or_one_segment();
    // With replays the last segment is first made off the tape.
    const std::int64_t last = (steps_ - 1) % schedule.segment + 1;
    return {before + schedule.steps_off_tape(steps_) + steps_ +
                (replays() ? last : 0),
            steps_, std::min(steps_, schedule.segment), schedule.states};
  }

  Json rehearsal(const Json& section, std::int64_t window,
                 std::int64_t outer_steps_per_window) const override {
    Json out =
        WindowEstimator::rehearsal(section, window, outer_steps_per_window);
    out["last"] = std::min(window, last_);
    return out;
  }

 private:
  /// What "checkpoints" says for this many steps; nothing for one tape.
  std::optional<CheckpointSchedule> chosen_schedule(std::int64_t steps) const {
    if (checkpoints_.is_number()) {
      return CheckpointSchedule::equal(
          steps, static_cast<std::int64_t>(checkpoints_.get<double>()));
    }
    if (checkpoints_ == "all") return CheckpointSchedule::equal(steps, steps);
    if (checkpoints_ == "sqrt") return CheckpointSchedule::square_root(steps);
    if (checkpoints_ == "log") return CheckpointSchedule::logarithmic(steps);
    return {};
  }

  Estimate differentiate(const ParameterSet& hyper) override {
    const ParameterSet h = hyper.leaves(), constant = hyper.detach();
    TrainState start;
    std::tie(start, key_) = run_.window_start(h);
    const std::int64_t length = run_.length();
    steps_ = last_ == 0 ? length : last_;
    if (steps_ < length) {
      start = loop_.steps(start.detach(), length - steps_, constant, key_);
    }
    from_ = start.detach();
    if (budget_) schedule_ = affordable(from_, constant);
    Json used = Json::object();
    if (budget_) {
      used["checkpoints"] = schedule_ ? Json(schedule_->states) : Json("none");
    }
    if (!schedule_ && !replays()) {
      Estimate out = on_one_tape(start, h);
      out.used = std::move(used);
      return out;
    }

    const CheckpointSchedule schedule = schedule_or_one_segment();
    CheckpointedWindow window(schedule, loop_, from_, steps_, constant, key_,
                              replays());
    const TrainState end = window.end();
    run_.finish_turn(end);
    const Partials loss = partials_at(end, hyper);
    Adjoint adjoint(loop_, key_, constant, loss);
    window.back(adjoint);
    adjoint.through(start.weights, h);
    Estimate out{adjoint.gradient(), loss.loss};
    out.used = std::move(used);
    if (schedule_) {
      out.metrics["states_kept"] = static_cast<double>(schedule.states);
      out.metrics["steps_repeated"] =
          static_cast<double>(schedule.steps_off_tape(steps_));
    }
    return out;
  }

  /// Whether the loop can replay a segment and the way back through it.
  bool replays() const {
    return loop_.replays() && run_.truncation().repeats() &&
           schedule_or_one_segment().segment <= TrainingLoop::kLongestReplay;
  }

  CheckpointSchedule schedule_or_one_segment() const {
    return schedule_.value_or(CheckpointSchedule::equal(steps_, 1));
  }

  Estimate on_one_tape(const TrainState& start, const ParameterSet& h) {
    const TrainState end = loop_.steps(start, steps_, h, key_, Tape::kOn);
    run_.finish_turn(end);
    const Tensor loss = this->loss(end, h);
    return {gradient(loss, h), Number(loss)};
  }

  /// Measures, the first time, what a state and a step on the tape take.
  /// Returns the schedule that fits into the budget, or none if one tape does.
  std::optional<CheckpointSchedule> affordable(const TrainState& start,
                                               const ParameterSet& hyper) {
    if (measured_) return schedule_;
    const auto peak = [&](std::int64_t steps) {
      const MemoryMeter memory;
      const TapedSteps taped_steps(loop_, start, steps, hyper, key_);
      const TrainState end = taped_steps.end.detach();
      Adjoint adjoint(loop_, key_, hyper, partials_at(end, hyper));
      adjoint.through(taped_steps);
      return static_cast<double>(memory.peak());
    };
    const double two = peak(2), taped = std::max(1.0, (peak(4) - two) / 2);
    const double other = std::max(0.0, two - 2 * taped);
    double state = 0;
    for (const Tensor& t : start.joined().tensors()) {
      state += static_cast<double>(t.nbytes());
    }
    measured_ = true;
    if (other + taped * static_cast<double>(steps_) <= *budget_) return {};
    const CheckpointSchedule schedule =
        CheckpointSchedule::within(steps_, *budget_ - other, state, taped);
    require(schedule.segment > 0,
            "\"memory_mib\" of the estimator \"unrolled\" must be at least "
            "{:.3g} here, is {:.3g}",
            mebibytes(static_cast<std::int64_t>(other + taped + state)) + 0.01,
            *budget_ / (1024 * 1024));
    return schedule;
  }

  std::int64_t last_;   // as configured
  Json checkpoints_;    // as configured
  std::int64_t steps_;  // that are differentiated
  std::optional<CheckpointSchedule> schedule_;
  std::optional<double> budget_;  // bytes
  bool measured_ = false;
  TrainState from_;  // before these steps, in the last estimate
  Key key_;
};

NESTGRAD_REGISTER(EstimatorRegistry, "unrolled", Unrolled)

}  // namespace
}  // namespace nestgrad
