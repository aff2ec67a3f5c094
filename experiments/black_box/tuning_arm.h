#pragma once

#include <string>

#include "experiments/black_box/search_arm.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// The metrics of a trained network; empty if its weights are not finite.
Metrics metrics_of(const Experiment& experiment, const TrainState& state,
                   const ParameterSet& hyper);

/// Tunes by hypergradients until the processor time is spent, or until all
/// outer steps of the configuration are made. From time to time, and at the
/// end, a network is trained from scratch with the hyperparameters of that
/// moment: what one would have if tuning had ended there.
class TuningArm {
 public:
  /// `budget`: processor seconds. `saved`: a file for the state, from which it
  /// continues if it is there. All arguments outlive this object.
  TuningArm(Experiment& experiment, double budget, std::string saved,
            SearchArm& arm, JsonLines& file);

  /// Returns false if a signal has come.
  bool go();

  void persist(Archive& archive);

 private:
  class Watcher;

  /// Trains a network with these hyperparameters, after `outer_steps`.
  void look(const ParameterSet& hyper, std::int64_t outer_steps);
  void save();

  Experiment& experiment_;
  double budget_;
  std::string saved_;
  SearchArm& arm_;
  JsonLines& file_;
  double spent_ = 0;     // on tuning
  double training_ = 0;  // seconds that the last network took
  double looked_ = 0;    // when
  std::int64_t looks_ = 0;
};

}  // namespace nestgrad
