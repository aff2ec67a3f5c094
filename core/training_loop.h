#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/distributed/world.h"
#include "core/optimizer.h"
#include "core/problem.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/replay.h"

namespace nestgrad {

/// Which minibatches a run sees.
enum class Minibatches {
  kCommon,  ///< all runs see the same minibatches in the same order
  kOfRun    ///< each run, that is each key, has an order of its own
};

/// What training follows: the key of one run. Or, for particles that are groups
/// of equal size, the run of each group, so that groups with different
/// minibatches and at different places of their runs train together.
class Runs {
 public:
  struct Group {
    Key run;
    std::int64_t ahead = 0;  ///< steps ahead of TrainState::step
  };

  Runs(const Key& run = Key()) : groups_{Group{run}} {}  // NOLINT: one run

  /// REQUIRES one group or more; the first is not ahead.
  explicit Runs(std::vector<Group> groups) : groups_(std::move(groups)) {}

  /// The only run, or that of the first group.
  const Key& first() const { return groups_.front().run; }

  const std::vector<Group>& groups() const { return groups_; }

  /// Whether groups stand at different steps.
  bool staggered() const {
    for (const Group& group : groups_) {
      if (group.ahead != 0) return true;
    }
    return false;
  }

 private:
  std::vector<Group> groups_;
};

/// A problem and the rule that trains it: the map from one TrainState to the
/// next, as a function of two parameter sets, weights and hyperparameters.
///
/// A pure function; the position within a run is kept by an InnerRun. With
/// replays it is for one thread.
class TrainingLoop {
 public:
  /// In steps. A recording takes memory for each of its operators.
  static constexpr std::int64_t kLongestReplay = 100;

  /// With `replays`, which may serve no other loop, a stretch of training that
  /// comes again, from the same step of the same run, is recorded on the device
  /// and replayed.
  TrainingLoop(std::shared_ptr<const BilevelProblem> problem,
               std::shared_ptr<const Optimizer> optimizer,
               Minibatches minibatches = Minibatches::kCommon,
               std::shared_ptr<ReplayCache> replays = nullptr,
               std::shared_ptr<World> world = alone())
      : problem_(std::move(problem)),
        optimizer_(std::move(optimizer)),
        minibatches_(minibatches),
        replays_(std::move(replays)),
        world_(std::move(world)) {}

  /// The loop of another problem with the same rule and minibatches.
  TrainingLoop of(std::shared_ptr<const BilevelProblem> problem) const {
    TrainingLoop out(
        std::move(problem), optimizer_, minibatches_,
        replays_ ? std::make_shared<ReplayCache>(replays_->device()) : nullptr,
        world_);
    out.summed_ = summed_;
    return out;
  }

  /// The slot in which summing_losses() keeps the sum, the last one: a scalar,
  /// or [particles].
  static constexpr const char* kLossSum = "loss_sum";

  /// The same loop, which adds up the validation losses after the steps of each
  /// window of `window` steps. In a step from (w, sum) to (w', sum'),
  ///
  ///   sum' = (0 where a window begins, else sum) + L(w', h)
  ///
  /// The draw of L follows from the run and the number of the step.
  TrainingLoop summing_losses(std::int64_t window) const {
    TrainingLoop out = *this;
    out.summed_ = window;
    return out;
  }

  /// The same loop, whose evaluations are made by this rank alone; see
  /// Draw::on_this_rank.
  TrainingLoop on_this_rank() const {
    TrainingLoop out = *this;
    out.on_this_rank_ = true;
    return out;
  }

  /// Null if nothing is replayed.
  const std::shared_ptr<ReplayCache>& replays() const { return replays_; }

  /// The ranks that train together: for methods that divide their work.
  World& world() const { return *world_; }

  const std::shared_ptr<const BilevelProblem>& problem() const {
    return problem_;
  }
  const std::shared_ptr<const Optimizer>& optimizer() const {
    return optimizer_;
  }

  /// The state before the first step; on the tape of `hyper` if the initial
  /// weights depend on it. With `particles`, the states of this many particles,
  /// whose hyperparameters are in `hyper`; see core/particles.h.
  TrainState start(const ParameterSet& hyper, const Key& run,
                   std::int64_t particles = 0) const;

  /// One training step. `runs` and state.step determine the minibatch and the
  /// noise (with Minibatches::kCommon, state.step alone determines the
  /// minibatch), so any part of a run can be repeated exactly. Several groups
  /// are for a problem with ProblemAbilities::groups.
  ///
  /// With the tape on, the result is a differentiable function of `hyper` and
  /// of `state`; with it off, nothing is recorded.
  TrainState step(const TrainState& state, const ParameterSet& hyper,
                  const Runs& runs, Tape tape = Tape::kOff) const;

  /// `count` steps.
  TrainState steps(TrainState state, std::int64_t count,
                   const ParameterSet& hyper, const Runs& runs,
                   Tape tape = Tape::kOff) const;

  /// Names `count` steps from `state` in replays(): everything that they depend
  /// on but this loop and the tensors of the state and of the hyperparameters.
  std::string name(const TrainState& state, std::int64_t count,
                   const Key& run) const;

  /// The draw of the step from `state`.
  Draw draw(const TrainState& state, const Runs& runs) const;

  // A step of one run in two halves, for methods that act between them:
  // step(state, ...) = apply(state, train_gradient(state, ...), ...).

  /// The gradient of the training loss in the step from `state`.
  ParameterSet train_gradient(const TrainState& state,
                              const ParameterSet& hyper, const Runs& runs,
                              Tape tape) const;

  /// What the gradient makes of the state, on the tape of the arguments.
  TrainState apply(const TrainState& state, const ParameterSet& gradient,
                   const ParameterSet& hyper, const Runs& runs) const {
    return moved(state, gradient, hyper, natural(hyper, state.particles), runs);
  }

  // For methods that take both halves by themselves and sum_losses():

  bool sums_losses() const { return summed_ > 0; }

  /// The sum after a step that has led from a state with the sum `before` to
  /// `state`, whose slots are not needed.
  Tensor loss_sum(const Tensor& before, const TrainState& state,
                  const ParameterSet& hyper, const Runs& runs) const;

 private:
  ParameterSet natural(const ParameterSet& hyper, std::int64_t particles) const;

  /// The same as steps(), one step after the other.
  TrainState stepwise(TrainState state, std::int64_t count,
                      const ParameterSet& hyper, const Runs& runs,
                      Tape tape) const;

  /// The rest of a step once the gradient is known. `natural`: see
  /// Optimizer::step().
  TrainState moved(const TrainState& state, const ParameterSet& gradient,
                   const ParameterSet& hyper, const ParameterSet& natural,
                   const Runs& runs) const;

  /// The update of the training rule alone.
  TrainState by_rule(const TrainState& state, const ParameterSet& gradient,
                     const ParameterSet& natural, const Runs& runs) const;

  /// The draw of the validation loss after the step that has led to `state`.
  Draw draw_after(const TrainState& state, const Runs& runs) const;

  Draw draw(std::int64_t step, std::int64_t particles, const Key& run) const {
    Draw out{step, run.fold("step").fold(static_cast<std::uint64_t>(step)),
             particles, /*response=*/nullptr,
             minibatches_ == Minibatches::kOfRun ? run.bits() : 0};
    out.on_this_rank = on_this_rank_;
    return out;
  }

  std::shared_ptr<const BilevelProblem> problem_;
  std::shared_ptr<const Optimizer> optimizer_;
  Minibatches minibatches_;
  std::shared_ptr<ReplayCache> replays_;
  std::shared_ptr<World> world_;
  bool on_this_rank_ = false;
  std::int64_t summed_ = 0;  // the window of summing_losses(); 0: no sums
};

}  // namespace nestgrad
