#pragma once

#include <string>

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
  ParameterSet hyper;       ///< what was found
  std::int64_t steps = 0;   ///< outer steps
  Metrics tuned;  ///< what the problem says about the weights of tuning
  double tuning_seconds = 0, retraining_seconds = 0;
  std::int64_t peak_bytes = 0;  ///< of tensors
};

/// What a run has found out, in files and for people. Refers to the parts of
/// the run.
struct Results {
  const Experiment& experiment;
  const Recorder& recorder;
  const EstimateSummary& estimates;
  const ExamplesOverTime* examples;  ///< null if no examples are learned
  const FinalRuns& final_runs;

  /// Hyperparameters, weights and pictures, whole files at a time.
  void write(const RunFolder& folder, const ParameterSet& hyper) const;

  /// summary.json.
  Json summary(const Ending& ending) const;

  /// The tables at the end of a run.
  std::string text(const Ending& ending) const;

  /// What went wrong in final runs, in sentences.
  std::vector<std::string> troubles() const;
};

}  // namespace nestgrad
