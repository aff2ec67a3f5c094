#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/record/estimate_summary.h"
#include "experiments/record/examples/learned_examples.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"
#include "experiments/run/final_runs.h"
#include "experiments/run/verdict.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// The outer step that is handed out.
struct Selected {
  std::int64_t step = 0;   ///< its line in metrics.jsonl; for "last" the last
                           ///< line, after whose move the hyperparameters are
  std::int64_t moves = 0;  ///< outer steps that led to its hyperparameters

  // How the best step was chosen; "" if the last one is handed out.
  std::string metric = {};
  double value = 0;
  std::int64_t candidates = 0;      ///< evaluated steps
  std::int64_t last_candidate = 0;  ///< the last of them
  bool warm_start = false;          ///< training goes on from step to step

  bool is_best() const { return !metric.empty(); }

  /// Whether it is the best and has the hyperparameters of the start.
  bool is_start() const { return is_best() && moves == 0; }

  /// "outer step 40 of 100, the best of 12 evaluations: validation loss 0.451".
  std::string text(std::int64_t steps) const;
  Json to_json() const;
};

/// How tuning ended and what it cost.
struct Ending {
  std::string termination;  ///< "finished", "early_stopping", "budget",
                            ///< "stopped", "diverged"
  std::string message;      ///< why, unless it is finished
  Selected selected;
  ParameterSet hyper;      ///< the hyperparameters found: of that step
  std::int64_t steps = 0;  ///< outer steps
  Metrics tuned;           ///< evaluation of the weights of that step
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

  /// Those of the problem at the hyperparameters found.
  std::vector<std::pair<std::string, Metrics>> outcomes;
  std::optional<Verdict> verdict;  ///< empty if there is none

  /// A sentence on each hyperparameter that after all outer steps is what it
  /// was at the start, to the last bit.
  std::vector<std::string> unmoved;

  std::vector<std::string> warnings;  ///< about inputs; have been told

  std::int64_t train_gradients = 0, valid_gradients = 0;
  EstimateReport estimates;
  double peak_memory_mib = 0;  ///< of the process

  /// summary.json.
  Json to_json() const;

  /// The tables at the end of a run.
  std::string text() const;

  /// What went wrong in final runs, and what did not move, in sentences.
  std::vector<std::string> troubles() const;
};

/// What is handed out.
struct HandedOut {
  Selected selected;
  ParameterSet hyper, weights;
};

/// The parts of a run that know its results.
struct Results {
  const Experiment& experiment;
  const Recorder& recorder;
  const EstimateSummary& estimates;
  const ExamplesOverTime* examples;  ///< null if no examples are learned
  const FinalRuns& final_runs;

  /// Writes hyperparameters, weights and pictures, whole files at a time.
  void write(const RunFolder& folder, const HandedOut& found) const;

  RunSummary summary(const Ending& ending) const;

 private:
  /// REQUIRES two retrained runs.
  std::optional<Verdict> verdict(const RunSummary& summary) const;
};

}  // namespace nestgrad
