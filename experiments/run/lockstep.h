#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "experiments/setup/experiment.h"

namespace nestgrad {

// Observers that keep ranks together; with one rank they do the same for it.

/// Collective. Throws RankLost if the losses at the initial weights, training
/// and validation, differ between ranks by more than rounding.
void require_same_data(World& world, const std::pair<double, double>& losses);

/// What ranks tell each other after every outer step: signals, checkpoints that
/// are due, and what must be alike on all ranks. The first observer, so that
/// the others know the evaluations of all ranks.
class Lockstep : public Observer {
 public:
  /// `due`: whether this rank wants a checkpoint after a step. The experiment
  /// outlives this.
  Lockstep(const Experiment& experiment,
           std::function<bool(const OuterStep&)> due);

  /// Collective. Throws RankLost where ranks are not alike.
  Verdict on_step(const OuterStep& step) override;

  /// A signal that any rank has noted, or 0.
  int signal() const { return signal_; }

  /// Whether there is a checkpoint after the present step.
  bool saves() const { return saves_; }

 private:
  void compare(const Tensor& all, const OuterStep& step) const;
  void add_evaluations(const Tensor& all);

  const Experiment& experiment_;
  std::function<bool(const OuterStep&)> due_;
  std::int64_t train_losses_, valid_losses_;  // of all ranks, so far
  int signal_ = 0;
  bool saves_ = false;
};

/// Ends tuning on all ranks: after a signal, or where an observer of rank 0 has
/// ended it. Comes after those that decide anything or look at the last step.
class CommonEnd : public Observer {
 public:
  /// `first_decides`: whether rank 0 has observers that may end tuning.
  CommonEnd(std::shared_ptr<const Lockstep> lockstep, World& world,
            bool first_decides)
      : lockstep_(std::move(lockstep)),
        world_(world),
        first_decides_(first_decides) {}

  /// Collective if rank 0 decides.
  Verdict on_step(const OuterStep& step) override;

 private:
  std::shared_ptr<const Lockstep> lockstep_;
  World& world_;
  bool first_decides_;
};

/// Saves when a Lockstep says so; the last observer of all.
class Saving : public Observer {
 public:
  Saving(std::shared_ptr<const Lockstep> lockstep, std::function<void()> save)
      : lockstep_(std::move(lockstep)), save_(std::move(save)) {}

  Verdict on_step(const OuterStep& step) override {
    // After the last step another checkpoint follows, when tuning is over.
    if (lockstep_->saves() && !step.last) save_();
    return Verdict::kContinue;
  }

 private:
  std::shared_ptr<const Lockstep> lockstep_;
  std::function<void()> save_;
};

}  // namespace nestgrad
