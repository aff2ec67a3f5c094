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

/// One run of a trial: a configuration and a folder of the sweep.
struct SweepRun {
  std::string name;  ///< "trial-0001-seed-1"
  std::size_t trial = 0;
  std::int64_t seed = 0;
};

/// A base configuration, and the values that trials put into it.
struct Arm {
  JsonFile base;
  std::vector<Dimension> dimensions;
  std::vector<Assignment> trials;
  std::string prefix;  ///< of names: "trial"

  JsonFile config(std::size_t trial, std::int64_t seed) const;
  std::string name(std::size_t trial) const;
  SweepRun run(std::size_t trial, std::int64_t seed) const;
};

/// What a sweep's file describes, ready to be run.
class SweepPlan {
 public:
  /// `sweep`: complete, with the configuration itself under "config". Throws
  /// Error or ConfigError if it has a mistake.
  explicit SweepPlan(const Config& sweep);

  /// Throws Error if one of the configurations has a mistake.
  void check() const;

  /// What the sweep is about.
  const Arm& main() const { return main_; }

  /// The random search it is compared with, one of its own for each seed, since
  /// the luck of the draw is part of what is compared. Empty if there is none.
  const std::vector<Arm>& random() const { return random_; }

  const std::vector<std::int64_t>& seeds() const { return seeds_; }
  const std::string& metric() const { return metric_; }
  std::int64_t retries() const { return retries_; }
  int workers() const { return workers_; }

  /// The outer steps after which trials are compared (successive halving); the
  /// last are all.
  const std::vector<std::int64_t>& rungs() const { return rungs_; }

  /// How many of so many trials go on from one rung to the next.
  std::size_t kept(std::size_t trials) const {
    return (trials + factor_ - 1) / factor_;
  }

  /// What a run of main() is told at a rung: to stop there, and to leave the
  /// final runs to the last.
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
