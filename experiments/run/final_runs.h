#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// The result of training from scratch under constant hyperparameters, with one
/// or several networks.
struct FinalRun {
  std::string name;          ///< "start", "found", "random", "cnn"
  Metrics metrics = {};      ///< means over the networks
  Metrics deviation = {};    ///< standard deviations; empty for one network
  std::string trouble = {};  ///< not empty if a network diverged

  Json json() const;
  void persist(Archive& archive);
};

/// The runs that show whether tuning was worthwhile. They train from scratch
/// with the initial and with the found hyperparameters, with the problem's
/// baselines and, under the found hyperparameters, with other models.
class FinalRuns {
 public:
  /// Throws ConfigError if the hyperparameters do not fit one of the other
  /// models.
  FinalRuns(const Config& config, const Experiment& experiment);

  /// Makes the runs that are still missing. `progress` receives a description
  /// of each run before it starts. `go_on` is called after every training step;
  /// if it returns false, train() returns false, and another call continues.
  bool train(const ParameterSet& found,
             const std::function<void(const std::string&)>& progress,
             const std::function<bool()>& go_on);

  // The results; empty before train(). tuning() begins with "start" and
  // "found".
  const std::vector<FinalRun>& tuning() const { return tuning_; }
  const std::vector<FinalRun>& baselines() const { return baselines_; }
  const std::vector<FinalRun>& models() const { return models_; }

  /// Discards the results.
  void clear();

  /// Saves or restores the results and the run in progress.
  void persist(Archive& archive);

 private:
  /// The run in progress. Its networks are trained one by one.
  struct Present {
    std::int64_t network = 0;  ///< number of finished networks
    Metrics sums, squares;     ///< over the metrics of finished networks
    TrainState state;          ///< of the current one; empty before its start

    void persist(Archive& archive);
  };

  /// Adds a run to `to`, or continues the run in progress. Returns false if
  /// stopped.
  bool train(std::vector<FinalRun>& to, std::string name,
             const Experiment& experiment, const ParameterSet& hyper,
             const std::function<bool()>& go_on);

  /// The same experiment with another model.
  Experiment with_model(const Config& model) const;

  Config config_;
  const Experiment& experiment_;
  std::vector<FinalRun> tuning_, baselines_, models_;
  Present present_;
};

/// Compares the weights at the end of tuning with weights trained from scratch
/// under the found hyperparameters. The gap shows how much of the result is due
/// to those weights and not to the hyperparameters.
struct WarmColdGap {
  std::string metric;  ///< "test_accuracy", ...; "" if nothing can be compared
  double joint = 0;    ///< of the weights at the end of tuning
  double retrained = 0;  ///< of the weights trained from scratch

  WarmColdGap(const Metrics& tuned, const FinalRun& found);

  /// Positive if training from scratch is worse.
  double gap() const;
  Json json() const;
  std::string text() const;
};

}  // namespace nestgrad
