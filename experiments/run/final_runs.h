#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// Training from scratch under constant hyperparameters, with one network or
/// several.
struct FinalRun {
  std::string name;          ///< "start", "found", "random", "cnn"
  Metrics metrics = {};      ///< means over the networks
  Metrics deviation = {};    ///< standard deviations; empty for one network
  std::string trouble = {};  ///< if one of them diverged

  Json json() const;
  void persist(Archive& archive);
};

/// What shows whether tuning was worth it: training from scratch with the
/// hyperparameters of the start and those found, with what the problem calls
/// its baselines and, under those found, with other models.
class FinalRuns {
 public:
  /// Throws ConfigError if the hyperparameters do not suit one of the other
  /// models.
  FinalRuns(const Config& config, const Experiment& experiment);

  /// Makes those that have not been made yet. `progress` hears what comes next,
  /// in words. After every training step `go_on` is asked; if it says no, false
  /// is returned, and another call continues.
  bool train(const ParameterSet& found,
             const std::function<void(const std::string&)>& progress,
             const std::function<bool()>& go_on);

  // What came of it; empty before train(). The first are "start" and "found".
  const std::vector<FinalRun>& tuning() const { return tuning_; }
  const std::vector<FinalRun>& baselines() const { return baselines_; }
  const std::vector<FinalRun>& models() const { return models_; }

  /// Forgets what was made.
  void clear();

  /// Saves or restores what was made, the run that is being made included.
  void persist(Archive& archive);

 private:
  /// The networks of one final run, one after another.
  struct Present {
    std::int64_t network = 0;  ///< how many are finished
    Metrics sums, squares;     ///< of their metrics
    TrainState state;          ///< of the next one; empty before it starts

    void persist(Archive& archive);
  };

  /// Adds a run to `to`, or continues one. Returns false if stopped.
  bool train(std::vector<FinalRun>& to, std::string name,
             const Experiment& experiment, const ParameterSet& hyper,
             const std::function<bool()>& go_on);

  /// The experiment with another model.
  Experiment with_model(const Config& model) const;

  Config config_;
  const Experiment& experiment_;
  std::vector<FinalRun> tuning_, baselines_, models_;
  Present present_;
};

/// How much of what was reached while tuning belongs to the weights of that
/// training and not to the hyperparameters: a measure of both, and the
/// distance.
struct WarmColdGap {
  std::string metric;    ///< "test_accuracy", ...; "" if there is none to tell
  double joint = 0;      ///< of the weights that tuning has led to
  double retrained = 0;  ///< of those trained from scratch

  WarmColdGap(const Metrics& tuned, const FinalRun& found);

  /// Positive if training from scratch is worse.
  double gap() const;
  Json json() const;
  std::string text() const;
};

}  // namespace nestgrad
