#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/judge/scaling_result.h"

namespace nestgrad {

/// Whether the training loss can be differentiated twice by the weights.
struct SecondDerivative {
  bool exists = true;

  /// The operator without one; "" if training takes no derivatives at all.
  std::string missing_operator;

  /// If it is missing: the estimators that need none, by name, and the settings
  /// under which others need none, as JSON of their sections.
  std::vector<std::string> estimators_without;
  std::vector<std::pair<std::string, Json>> settings_without;
};

/// What an experiment will cost.
struct PlanCost {
  // Bytes of tensors.
  std::int64_t loaded = 0;  ///< the data
  std::int64_t peak = 0;    ///< of the whole run, the data included

  // Seconds.
  double training_step = 0;
  double estimate = 0;  ///< with the training of its window; exchanges, if
                        ///< there are several ranks, not counted
  double evaluation = 0;
  double tuning = 0;      ///< all of it, at most its budget
  double retraining = 0;  ///< all final runs, at most their budget

  Exchanges exchanges;  ///< of an estimate, with the training of its window

  std::int64_t networks = 0;     ///< of each final run; 0 if there are none
  std::int64_t outer_steps = 0;  ///< that tuning makes within its budgets
  std::string ended_by;  ///< the key of outer.stop that ends tuning, or ""

  /// "outer.stop.seconds ends tuning after about 40 outer steps", or "".
  std::string end() const;

  /// "up to 214 MiB of tensors, about 18.8 s, 3.1 s of them for final runs"
  std::string text() const;
};

/// What `nestgrad plan` has found out about an experiment.
struct PlanResult {
  using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

  Shapes weights, hyperparameters;                          ///< by name
  std::int64_t weight_count = 0, hyperparameter_count = 0;  ///< numbers
  std::int64_t outer_steps = 0;

  // How training is cut; see Truncation.
  std::int64_t window = 0, horizon = 0;  ///< training steps
  std::int64_t outer_steps_per_window = 1;
  std::int64_t warm_up = 0;  ///< windows before the first estimate

  std::int64_t retraining_steps = 0;                  ///< of each final run
  std::optional<SecondDerivative> second_derivative;  ///< empty: not asked
  std::optional<PlanCost> cost;    ///< empty if the estimator does not run
  std::string trouble;             ///< why there is no cost
  std::optional<Scaling> scaling;  ///< empty: not asked

  Json to_json() const;

  /// Some lines for people.
  std::string text() const;
};

}  // namespace nestgrad
