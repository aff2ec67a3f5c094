#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/sweep/search.h"

namespace nestgrad {

/// The keys of a sweep's file.
Schema sweep_schema();

/// One run of a trial. Names its configuration and its folder in the sweep.
struct SweepRun {
  std::string name;  ///< "trial-0001-seed-1"
  std::size_t trial = 0;
  std::int64_t seed = 0;
};

/// A base configuration with the values that its trials set.
struct Arm {
  JsonFile base;
  std::vector<Dimension> dimensions;
  std::vector<Assignment> trials;
  std::string prefix;  ///< of names: "trial"

  JsonFile config(std::size_t trial, std::int64_t seed) const;
  std::string name(std::size_t trial) const;
  SweepRun run(std::size_t trial, std::int64_t seed) const;
};

/// The contents of a sweep's file in the form needed to run it.
class SweepPlan {
 public:
  /// `sweep`: completed, with the configuration itself under "config". Throws
  /// Error or ConfigError for mistakes.
  explicit SweepPlan(const Config& sweep);

  /// Throws Error if any configuration has a mistake.
  void check() const;

  /// The trials of the sweep itself.
  const Arm& main() const { return main_; }

  /// The random searches that the sweep is compared with, a different one for
  /// each seed because their luck is part of the comparison. Empty if there are
  /// none.
  const std::vector<Arm>& random() const { return random_; }

  const std::vector<std::int64_t>& seeds() const { return seeds_; }
  const std::string& metric() const { return metric_; }
  std::int64_t retries() const { return retries_; }
  int workers() const { return workers_; }

  /// The outer steps at which successive halving compares trials. The last
  /// element is the total number of outer steps.
  const std::vector<std::int64_t>& rungs() const { return rungs_; }

  /// How many of `trials` trials continue from one rung to the next.
  std::size_t kept(std::size_t trials) const {
    return (trials + factor_ - 1) / factor_;
  }

  /// Assignments for a run of main() at a rung: stop there, and make the final
  /// runs at the last rung only.
  std::vector<std::string> at_rung(std::size_t rung) const;

 private:
  Arm main_;
  std::vector<Arm> random_;
  std::vector<std::int64_t> seeds_, rungs_;
  std::string metric_;
  std::int64_t retries_;
  int workers_;
  std::size_t factor_;
  Json retrain_;
};

}  // namespace nestgrad
