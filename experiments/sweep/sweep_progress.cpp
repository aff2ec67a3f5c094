#include "experiments/sweep/sweep_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/record/console.h"

namespace nestgrad {

SweepProgress::SweepProgress(const SweepPlan& plan, int workers)
    : ends_(plan.rungs()),
      searches_(plan.random().size()),
      workers_(static_cast<std::size_t>(workers)) {
  std::size_t trials = plan.main().trials.size();
  for (std::size_t rung = 0; rung < ends_.size(); ++rung) {
    if (rung > 0) trials = plan.kept(trials);
    runs_at_.push_back(trials * plan.seeds().size());
  }
}

void SweepProgress::begin_rung(std::size_t rung, std::size_t ended) {
  rung_ = rung;
  ended_ = ended;
}

void SweepProgress::end_run(double seconds) {
  ++ended_;
  seconds_ += seconds;
  steps_ += steps_in(rung_);
}

double SweepProgress::steps_in(std::size_t rung) const {
  const std::int64_t before = rung == 0 ? 0 : ends_[rung - 1];
  return static_cast<double>(ends_[rung] - before);
}

double SweepProgress::seconds_left() const {
  if (steps_ == 0) return NAN;
  /// Rounds of `runs` runs, as many at a time as there are workers.
  const auto rounds = [&](std::size_t runs) {
    const auto at_once = static_cast<double>(std::min(runs, workers_));
    return runs == 0 ? 0 : static_cast<double>(runs) / at_once;
  };
  double steps = 0;
  for (std::size_t rung = rung_; rung < ends_.size(); ++rung) {
    const std::size_t done = rung == rung_ ? ended_ : 0;
    steps += steps_in(rung) * rounds(runs_at_[rung] - done);
  }
  // A random search takes the time of one whole run.
  steps += static_cast<double>(ends_.back()) * rounds(searches_);
  return steps * seconds_ / steps_;
}

std::string SweepProgress::text() const {
  std::string out;
  if (ends_.size() > 1) {
    out = fmt::format("rung {} of {}, ", rung_ + 1, ends_.size());
  }
  out += fmt::format("run {} of {}", ended_, runs());
  const double left = seconds_left();
  if (left > 0) out += fmt::format(", about {} left", duration(left));
  return out;
}

std::string SweepProgress::rung_text() const {
  return fmt::format("rung {} of {}: {} runs to outer step {}", rung_ + 1,
                     ends_.size(), runs(), ends_[rung_]);
}

}  // namespace nestgrad
