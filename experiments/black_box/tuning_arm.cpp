#include "experiments/black_box/tuning_arm.h"

#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "core/storage/snapshot_file.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// How many networks are trained while the time passes.
constexpr double kLooks = 20;

}  // namespace

Metrics metrics_of(const Experiment& experiment, const TrainState& state,
                   const ParameterSet& hyper) {
  try {
    return experiment.judge(state, hyper);
  } catch (const NotFinite&) {
    return {};
  }
}

/// Counts the processor time of outer steps alone.
class TuningArm::Watcher : public Observer {
 public:
  explicit Watcher(TuningArm& arm) : arm_(arm) {}

  void on_start(const OuterStep& start) override {
    arm_.found_ = *start.hyper;
    arm_.look(0);
    watch_ = CpuStopwatch();
  }

  Verdict on_step(const OuterStep& step) override {
    const double taken = watch_.seconds();
    arm_.spent_ += taken;
    arm_.learn(step);
    // Whether another step and a last training would take too long.
    const bool over = arm_.spent_ + taken + arm_.training_ > arm_.budget_;
    const bool due = arm_.spent_ - arm_.looked_ >= arm_.budget_ / kLooks;
    if (over || due || step.last) arm_.look(step.step);
    const bool stopped = noted_signal() != 0;
    if (due || stopped) arm_.save();
    watch_ = CpuStopwatch();
    return over || stopped ? Verdict::kStop : Verdict::kContinue;
  }

 private:
  TuningArm& arm_;
  CpuStopwatch watch_;
};

TuningArm::TuningArm(Experiment& experiment, bool selects_best, double budget,
                     std::string saved, SearchArm& arm, JsonLines& file)
    : experiment_(experiment),
      selects_best_(selects_best),
      budget_(budget),
      saved_(std::move(saved)),
      arm_(arm),
      file_(file) {
  if (file_exists(saved_)) restore(*this, load_snapshot(saved_).snapshot);
}

bool TuningArm::go() {
  const OuterResult result =
      experiment_.tune({std::make_shared<Watcher>(*this)});
  if (result.termination == Termination::kDiverged) {
    arm_.end(file_, "diverged");
  } else if (result.termination == Termination::kFinished) {
    arm_.end(file_, "all outer steps made");
  } else if (noted_signal() != 0) {
    return false;
  } else {
    arm_.end(file_, "budget");
  }
  return true;
}

void TuningArm::persist(Archive& archive) {
  archive("experiment", experiment_);
  archive("spent", spent_);
  archive("training", training_);
  archive("looked", looked_);
  archive("looks", looks_);
  archive("least", least_);
  archive("found", found_);
}

void TuningArm::learn(const OuterStep& step) {
  if (!selects_best_) {
    found_ = *step.next;
  } else if (step.objective < least_) {
    least_ = step.objective;
    found_ = *step.hyper;
  }
}

void TuningArm::look(std::int64_t outer_steps) {
  const CpuStopwatch watch;
  const TrainState state =
      experiment_.retrained(found_, experiment_.retraining_steps());
  training_ = watch.seconds();
  looked_ = spent_;
  // After a kill the file may know more networks than the checkpoint.
  if (looks_++ < static_cast<std::int64_t>(arm_.points.size())) return;
  arm_.add(file_, {spent_ + training_,
                   metrics_of(experiment_, state, found_),
                   {},
                   outer_steps});
}

void TuningArm::save() {
  save_snapshot(saved_, nestgrad::save(*this, Tensors::kShared),
                Json::object());
}

}  // namespace nestgrad
