#pragma once

#include <vector>

#include "hypergrad/evolution/objective.h"

namespace nestgrad {

/// Windows that train together, as the particles of one window. An operator on
/// few numbers takes nearly the same time for one particle as for a hundred.
class JoinedWindows {
 public:
  /// A window and the hyperparameters in it.
  struct Part {
    TrainingWindow window;
    ParameterSet hyper;
  };

  /// Windows of equal length: for each of several runs, `parts_of_run` that
  /// begin at the same step of it and have the same draw. All runs have the
  /// same numbers of particles.
  JoinedWindows(std::vector<Part> parts, std::size_t parts_of_run);

  const TrainingWindow& window() const { return joined_.window; }
  const ParameterSet& hyper() const { return joined_.hyper; }

  /// What training through window() means for each part.
  std::vector<EvolutionObjective::Outcome> cut(
      const EvolutionObjective::Outcome& outcome) const;

 private:
  Part joined_;
  std::vector<std::int64_t> particles_;  // of each part; 0: without their axis
};

}  // namespace nestgrad
