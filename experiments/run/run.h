#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"
#include "experiments/record/best_step.h"
#include "experiments/record/checkpoints.h"
#include "experiments/record/console.h"
#include "experiments/record/estimate_summary.h"
#include "experiments/record/examples/learned_examples.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"
#include "experiments/run/final_runs.h"
#include "experiments/run/lockstep.h"
#include "experiments/run/results.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/stopping.h"

namespace nestgrad {

/// One run of an experiment in its folder, from the first outer step to the
/// results: start() or restore(), then go().
class Run {
 public:
  /// Builds the experiment; `make_folder` is called when that went well. Throws
  /// Error and ConfigError for mistakes.
  Run(Config config, const std::function<RunFolder()>& make_folder, Talk talk,
      std::shared_ptr<World> world = alone());

  void start();

  /// Takes the place of start(). `changed`: the keys that differ from those of
  /// the checkpoint, if it is allowed; `other_data`: whether losses at the
  /// initial weights may be others. Throws Error if the checkpoint does not
  /// fit.
  void restore(const SavedSnapshot& saved,
               const std::vector<std::string>& changed, bool other_data);

  /// Does all that is left to do. Returns the exit code; see run_experiment().
  int go();

  void persist(Archive& archive);

 private:
  /// What the best step has seen, while the run goes on.
  static constexpr const char* kBestFile = "best_step";

  /// Whether evaluations train networks from scratch.
  bool has_fresh_networks() const;

  /// The outer steps between evaluations.
  std::int64_t every() const;

  /// The integer `key` of the section record.checkpoint.
  std::int64_t checkpoint_integer(const char* key) const;

  /// Throws ConfigError if early stopping waits for a metric that the problem
  /// does not have.
  void require_metric() const;

  /// Compares the losses at the initial weights with those of the checkpoint.
  /// Returns whether they are the same but for rounding; throws Error if they
  /// are not, unless `other_data`.
  bool compare_fingerprints(const Snapshot& saved, bool other_data);

  /// Warns, or throws Error, if results depend on the number of ranks and it
  /// was another one.
  void compare_ranks(std::int64_t before) const;
  void write_config() const;
  void tell_start(std::int64_t step);

  /// Tells the memory and the time that the run will need, by a rehearsal.
  void tell_cost();

  void tune();
  void train_final_runs();

  /// Whether the interval between checkpoints has passed since the last one.
  bool is_due() const;

  void checkpoint();

  /// After tuning: takes the state that other ranks have a part of, and lets
  /// them end.
  void release_others(bool saves);

  /// A signal that has ended tuning on any rank or has come to this one, or 0.
  int signal() const;

  /// The best step or, if "last" is selected or no loss was finite, where the
  /// hyperparameters are now.
  HandedOut handed_out() const;
  std::int64_t peak_bytes() const;
  Results results() const;
  void write_results() const;
  Ending ending() const;
  void show(const RunSummary& summary);
  int exit_code() const;

  MemoryMeter memory_;  // from before the data are loaded
  Config config_;
  Console console_;
  Experiment experiment_;
  FinalRuns final_runs_;
  std::pair<double, double> fingerprint_;  // losses at the initial weights
  std::optional<RunFolder> folder_;
  std::optional<Checkpoints> checkpoints_;
  std::shared_ptr<Stopping> stopping_;
  std::shared_ptr<Recorder> recorder_;
  std::shared_ptr<BestStep> best_;  // null if the last step is handed out
  std::shared_ptr<EstimateSummary> estimates_;
  std::shared_ptr<ExamplesOverTime> examples_;  // null if none are learned
  std::shared_ptr<Lockstep> lockstep_;          // while tuning and after
  std::optional<Snapshot> tuned_experiment_;    // after release_others()
  Stopwatch since_checkpoint_;

  // How far it has come.
  std::string termination_, message_;  // "" until tuning ends
  bool ended_ = false;                 // and all that comes after it
  bool interrupted_ = false;           // by a signal
  Metrics tuned_;
  double retraining_seconds_ = 0;
  std::int64_t retraining_gradients_ = 0;  // of the training loss
  std::int64_t earlier_peak_ = 0;          // of processes before this one
};

}  // namespace nestgrad
