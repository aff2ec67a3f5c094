#pragma once

#include <cmath>
#include <string>

#include "experiments/black_box/search_arm.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// The metrics of a trained network; empty if its weights are not finite.
Metrics metrics_of(const Experiment& experiment, const TrainState& state,
                   const ParameterSet& hyper);

/// Tunes by hypergradients until the processor time is spent, or until all
/// outer steps of the configuration are made. From time to time, and at the
/// end, a network is trained from scratch with the hyperparameters that would
/// be handed out if tuning ended there: those after the last outer step or,
/// with "outer.select": "best", those of the estimate with the least objective.
class TuningArm {
 public:
  /// `budget`: processor seconds. `saved`: a file for the state, from which it
  /// continues if it is there. All arguments outlive this object.
  TuningArm(Experiment& experiment, bool selects_best, double budget,
            std::string saved, SearchArm& arm, JsonLines& file);

  /// Returns false if a signal has come.
  bool go();

  void persist(Archive& archive);

 private:
  class Watcher;

  /// Learns what an outer step has seen.
  void learn(const OuterStep& step);

  /// Trains a network with what would be handed out after `outer_steps`.
  void look(std::int64_t outer_steps);
  void save();

  Experiment& experiment_;
  bool selects_best_;
  double budget_;
  std::string saved_;
  SearchArm& arm_;
  JsonLines& file_;
  double spent_ = 0;     // on tuning
  double training_ = 0;  // seconds that the last network took
  double looked_ = 0;    // when
  std::int64_t looks_ = 0;
  double least_ = INFINITY;  // objective of an estimate
  ParameterSet found_;       // what would be handed out
};

}  // namespace nestgrad
