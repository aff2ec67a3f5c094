#pragma once

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/protocol.h"

namespace nestgrad {

/// One network of a final run. Network i of every final run has the same
/// initial weights and sees the same minibatches.
struct FinalNetwork {
  Metrics metrics;

  void persist(Archive& archive) { archive("metrics", metrics); }
};

/// What the names of the metrics of fresh networks begin with.
inline constexpr const char* kFresh = "fresh_";

/// The result of training from scratch under constant hyperparameters, with one
/// or several networks.
struct FinalRun {
  std::string name;          ///< "start", "found", "random", "cnn"
  Metrics metrics = {};      ///< means over the networks that have them
  Metrics deviation = {};    ///< standard deviations; empty for one network
  std::string trouble = {};  ///< not empty if a network diverged
  std::vector<FinalNetwork> networks = {};  ///< those that did not diverge

  /// Sets means and standard deviations of the networks' metrics.
  void summarize();

  Json to_json() const;
  void persist(Archive& archive);
};

/// Training from scratch, which shows whether tuning was worth it: with the
/// hyperparameters of the start, with those found, with the problem's baselines
/// and, under the hyperparameters found, with other models. It goes on as in
/// tuning or, for learned examples, by record.protocol.
class FinalRuns {
 public:
  /// Throws ConfigError if the hyperparameters do not fit one of the other
  /// models, or the problem the protocol.
  FinalRuns(const Config& config, const Experiment& experiment);

  /// Makes the runs that have not been made yet, of `steps` training steps
  /// each. `progress` is told what comes next, in words. `go_on` is asked after
  /// every training step; if it returns false, so does this function, and
  /// another call continues.
  ///
  /// `work`: what tuning has taken, for record.networks "auto".
  ///
  /// With a budget (record.retrain_seconds), a network that has used up its
  /// share is evaluated where it is. Every run then has the metric "steps": how
  /// many training steps it has made.
  bool train(const ParameterSet& found, std::int64_t steps,
             const TuningWork& work,
             const std::function<void(const std::string&)>& progress,
             const std::function<bool()>& go_on);

  /// What a network knows that is trained from scratch under `hyper`, the first
  /// of those of a final run: its metrics, "fresh_test_accuracy". If training
  /// diverges, NaN in the place of that by which outer steps are judged.
  Metrics fresh(const ParameterSet& hyper);

  // The runs that were made; empty before train(). tuning() has "start" and
  // "found".
  const std::vector<FinalRun>& tuning() const { return tuning_; }
  const std::vector<FinalRun>& baselines() const { return baselines_; }
  const std::vector<FinalRun>& models() const { return models_; }

  /// Whether they go on by a protocol, with networks that are not those of
  /// tuning.
  bool has_protocol() const { return nestgrad::has_protocol(config_); }

  /// Forgets all runs.
  void clear();

  /// Saves or restores all runs, an unfinished one included.
  void persist(Archive& archive);

 private:
  /// The run in progress. Its networks are trained one by one.
  struct Present {
    std::vector<FinalNetwork> networks;  ///< those that are finished
    TrainState state;  ///< of the next network; empty before it starts

    void persist(Archive& archive);
  };

  /// Adds a run to `to`, or continues the run in progress. Returns false if
  /// stopped.
  bool train(std::vector<FinalRun>& to, std::string name,
             const Experiment& experiment, const ParameterSet& hyper,
             std::int64_t steps, const std::function<bool()>& go_on);

  /// Trains and evaluates the present network; empty if stopped.
  std::optional<Metrics> judge(const Experiment& experiment,
                               const ParameterSet& hyper, std::int64_t steps,
                               const std::function<bool()>& go_on);

  /// The networks of all runs that have not been finished.
  std::int64_t networks_left() const;

  bool has_budget() const { return std::isfinite(budget_); }

  /// The experiment of the final runs, but for other models.
  const Experiment& judge();

  /// `hyper` of tuning as the experiment of the final runs has it.
  ParameterSet as_judged(const Experiment& judge,
                         const ParameterSet& hyper) const;

  /// The same experiment, or that of the protocol, with another model.
  Experiment with_model(const Config& model) const;

  Config config_;
  const Experiment& experiment_;
  Config config_of_judge_;
  std::optional<Experiment> judge_;  // once it is needed
  double budget_;                    // seconds; infinity: none
  double seconds_ = 0;               // spent so far, if there is a budget
  std::int64_t networks_ = 0;        // of each run; 0 before train()
  std::vector<FinalRun> tuning_, baselines_, models_;
  Present present_;
};

/// A metric of the weights that tuning has led to, and of weights trained from
/// scratch under the hyperparameters found. The gap between them belongs to the
/// weights of tuning and not to the hyperparameters.
struct WarmColdGap {
  std::string metric;    ///< "test_accuracy", ...
  double joint = 0;      ///< of the weights that tuning has led to
  double retrained = 0;  ///< of the weights trained from scratch

  /// By the most telling metric that both have; empty if they share none.
  static std::optional<WarmColdGap> between(const Metrics& tuned,
                                            const FinalRun& found);

  /// Positive if training from scratch is worse.
  double gap() const;
  Json to_json() const;
  std::string text() const;
};

}  // namespace nestgrad
