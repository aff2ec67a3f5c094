#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {

/// How far a sweep has come and how long it will take. Times are those of runs
/// that have ended since this object was made, per outer step.
class SweepProgress {
 public:
  /// `workers`: of all processes that work on it.
  SweepProgress(const SweepPlan& plan, int workers);

  std::size_t workers() const { return workers_; }

  /// A rung begins, of whose runs so many have ended in an earlier process.
  void begin_rung(std::size_t rung, std::size_t ended);

  /// A run of the present rung has ended, `seconds` after it was started.
  void end_run(double seconds);

  std::size_t rung() const { return rung_; }
  std::size_t ended() const { return ended_; }
  std::size_t runs() const { return runs_at_[rung_]; }  ///< of this rung

  /// Until the end of the sweep; NaN if no run has ended yet.
  double seconds_left() const;

  /// "rung 1 of 3, run 5 of 16, about 3 min 20 s left".
  std::string text() const;

  /// "rung 2 of 3: 6 runs to outer step 30".
  std::string rung_text() const;

 private:
  /// The outer steps that a run makes in a rung.
  double steps_in(std::size_t rung) const;

  std::vector<std::int64_t> ends_;    // of rungs, in outer steps
  std::vector<std::size_t> runs_at_;  // by rung
  std::size_t searches_;              // random searches that follow
  std::size_t workers_;
  std::size_t rung_ = 0, ended_ = 0;
  double seconds_ = 0, steps_ = 0;  // of runs that have ended
};

}  // namespace nestgrad
