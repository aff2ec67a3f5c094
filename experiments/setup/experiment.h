#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/hyper_space.h"
#include "experiments/setup/counted.h"
#include "experiments/setup/divided.h"
#include "hypergrad/outer_loop.h"

namespace nestgrad {

/// The keys of a configuration file.
Schema experiment_schema();

/// A configuration that an experiment can be built from. Its plugins are
/// loaded, it is checked, and every default is written out. Throws Error and
/// ConfigError.
///
/// `folders`: where relative paths are seen from, as in Config::folders().
Config experiment_config(const Json& json,
                         const std::vector<std::string>& folders = {});
Config experiment_config(const JsonFile& file);

/// The same configuration with another model of its problem.
Config with_model(const Config& config, const Config& model);

class Experiment;

/// How many final runs there are: for the start, for what was found, for other
/// models and for baselines. 0: there are none.
std::int64_t final_run_count(const Config& config,
                             const Experiment& experiment);

/// What tuning has taken.
struct TuningWork {
  double gradients = 0;  ///< of the training loss
  double products = 0;   ///< with the Hessian
};

/// How many networks each of `runs` final runs of `steps` training steps has:
/// record.networks or, if that is "auto", three if all final runs then take no
/// more work than tuning, else one. It depends on counts and not on measured
/// times, so that a run can be repeated.
std::int64_t networks_of_final_runs(const Config& config, std::int64_t runs,
                                    std::int64_t steps, const TuningWork& work);

/// Training has led to weights that are not finite.
class NotFinite : public Error {
 public:
  using Error::Error;
};

/// What a configuration describes, built and ready to run.
///
///   problem -> training loop -> estimator -> outer loop
///
/// Each is made from its section and from the parts on its left.
class Experiment {
 public:
  /// `world`: the ranks that share the work. Throws ConfigError with all
  /// mistakes of all sections.
  explicit Experiment(const Config& config,
                      std::shared_ptr<World> world = alone());

  /// Makes all outer steps, or until an observer stops. Begins at the initial
  /// hyperparameters, unless persist() has restored a state.
  OuterResult tune(const std::vector<std::shared_ptr<Observer>>& observers);

  /// Where the hyperparameters are now.
  const ParameterSet& hyper() const { return outer_->hyper(); }

  /// The loop that tune() runs.
  OuterLoop& outer_loop() { return *outer_; }
  const OuterLoop& outer_loop() const { return *outer_; }

  /// Saves or restores all that tuning consists of.
  void persist(Archive& archive);

  /// The training and the validation loss at the initial weights, evaluated by
  /// this rank alone. Where they differ, another process has other data or
  /// other arithmetic.
  std::pair<double, double> fingerprint() const;

  /// Trains from scratch with constant hyperparameters for `steps` steps, on
  /// this rank alone, and evaluates the result. Each `network` has its own
  /// initial weights and noise. Throws NotFinite if training diverges.
  Metrics retrain(const ParameterSet& hyper, std::int64_t steps,
                  std::int64_t network = 0) const;

  /// The same in pieces: starts from `state` unless it is empty, and leaves the
  /// end of the piece there. `go_on` is asked after every step; if it returns
  /// false before the end, the result is empty.
  std::optional<Metrics> retrain(const ParameterSet& hyper, std::int64_t steps,
                                 std::int64_t network, TrainState& state,
                                 const std::function<bool()>& go_on) const;

  // The same in two parts, training and judging what it has led to.
  TrainState retrained(const ParameterSet& hyper, std::int64_t steps,
                       std::int64_t network = 0) const;
  Metrics judge(const TrainState& state, const ParameterSet& hyper) const;

  /// The run of each of these networks.
  Key retraining_key(std::int64_t network = 0) const;

  /// The hyperparameters of the configuration, constants included.
  const std::vector<HyperSpec>& space() const { return space_; }

  ParameterSet initial_hyper() const { return problem_->initial_hyper(); }

  /// Whether any hyperparameter is tuned; otherwise tune() only trains.
  bool tunes() const { return !initial_hyper().empty(); }
  ParameterSet natural(const ParameterSet& hyper) const {
    return tuned(*problem_, hyper);
  }

  /// The hyperparameters that stand for these examples. REQUIRES that nothing
  /// else is tuned.
  ParameterSet hyper_of(const SoftExamples& examples) const;

  /// The weights that tuning has led to, and what the problem says about them.
  ParameterSet weights(const ParameterSet& hyper) const {
    return estimator_->weights(hyper);
  }
  Metrics evaluate(const ParameterSet& hyper) const {
    return problem_->evaluate(weights(hyper), hyper);
  }

  /// The estimator of another section for this experiment; plain training if
  /// nothing is tuned.
  std::unique_ptr<HypergradientEstimator> make_estimator(
      const Config& section) const;

  std::int64_t outer_steps() const { return outer_steps_; }

  /// Training steps of each final run, if tuning makes `outer_steps` outer
  /// steps or all of them. 0: there are no final runs.
  std::int64_t retraining_steps(std::int64_t outer_steps) const;
  std::int64_t retraining_steps() const {
    return retraining_steps(outer_steps_);
  }

  World& world() const { return *world_; }
  Divided divided() const { return divided_; }

  /// What tuning evaluates, and how it trains. If ranks divide examples, both
  /// are collective.
  const Counted& problem() const { return *problem_; }
  const TrainingLoop& loop() const { return *loop_; }

  /// How final runs train: this rank alone.
  const TrainingLoop& own_loop() const { return *own_loop_; }
  const HypergradientEstimator& estimator() const { return *estimator_; }
  const Truncation& truncation() const { return cut_; }

  /// The metric that tells a better result: that of the estimator, if it has
  /// one, and otherwise that of the problem.
  std::string judged_metric() const {
    const std::string own = estimator_->metric();
    return own.empty() ? problem_->metric() : own;
  }

  /// The rule of tuning, before its first step.
  const OuterRule& outer_rule() const { return *outer_rule_; }

  /// The key that tuning begins with.
  Key tuning_key() const { return key_.fold("tuning"); }

 private:
  /// Builds the training loop and the estimator of the section. Throws
  /// ConfigError if they do not suit the problem or several ranks.
  void build_estimator(const Config& config,
                       const std::shared_ptr<const Optimizer>& inner,
                       const std::shared_ptr<ReplayCache>& replays);

  /// The problem whose examples the ranks divide.
  std::shared_ptr<Counted> with_divided_examples(const Config& config) const;

  /// Throws ConfigError if the estimator needs derivatives that the problem
  /// does not have.
  void require_derivatives(const Config& hyperparameters,
                           const Config& estimator) const;

  Key key_;
  std::shared_ptr<World> world_;
  Divided divided_ = Divided::kNothing;
  std::int64_t shares_ = 0;  // of what is divided; 0: as many as ranks
  std::shared_ptr<const BilevelProblem> natural_problem_;  // as it was made
  std::vector<HyperSpec> space_;
  std::shared_ptr<Counted> problem_, own_problem_;  // of all, of this rank
  std::shared_ptr<const TrainingLoop> loop_, own_loop_;
  std::unique_ptr<HypergradientEstimator> estimator_;
  std::optional<OuterRule> outer_rule_;
  std::unique_ptr<OuterLoop> outer_;
  std::int64_t outer_steps_ = 0;
  std::optional<std::int64_t> retraining_steps_ = 0;  // empty: as tuning makes
  Truncation cut_;
  bool restored_ = false;
};

}  // namespace nestgrad
