#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/record/estimate_summary.h"
#include "experiments/record/learned_examples.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"
#include "experiments/run/final_runs.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// How tuning ended and what it cost.
struct Ending {
  std::string termination;  ///< "finished", "early_stopping", "budget",
                            ///< "stopped", "diverged"
  std::string message;      ///< why, unless it is finished
  ParameterSet hyper;       ///< the hyperparameters found
  std::int64_t steps = 0;   ///< outer steps
  Metrics tuned;            ///< evaluation of the weights of tuning
  double tuning_seconds = 0, retraining_seconds = 0;
  std::int64_t peak_bytes = 0;  ///< of tensors
};

/// Everything that a run has found out, as summary.json and the tables at the
/// end of a run tell it.
struct RunSummary {
  Ending ending;
  ParameterSet start, found;  ///< hyperparameters in natural units
  NumberNames number_names;   ///< of their numbers

  /// Final runs with the hyperparameters of the start and those found; with
  /// those found and other models; with the problem's baselines.
  std::vector<FinalRun> retrained, other_models, baselines;
  std::optional<WarmColdGap> gap;  ///< empty if it cannot be told

  std::vector<std::string> warnings;  ///< about inputs; have been told

  std::int64_t train_gradients = 0, valid_gradients = 0;
  EstimateReport estimates;
  double peak_memory_mib = 0;  ///< of the process

  /// summary.json.
  Json to_json() const;

  /// The tables at the end of a run.
  std::string text() const;

  /// What went wrong in final runs, and unmoved(), in sentences.
  std::vector<std::string> troubles() const;

  /// A sentence on each hyperparameter that is what it was at the start to the
  /// last bit.
  std::vector<std::string> unmoved() const;
};

/// The parts of a run that know its results.
struct Results {
  const Experiment& experiment;
  const Recorder& recorder;
  const EstimateSummary& estimates;
  const ExamplesOverTime* examples;  ///< null if no examples are learned
  const FinalRuns& final_runs;

  /// Writes hyperparameters, weights and pictures, whole files at a time.
  void write(const RunFolder& folder, const ParameterSet& hyper) const;

  RunSummary summary(const Ending& ending) const;
};

}  // namespace nestgrad
