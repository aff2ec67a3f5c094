#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/black_box/search_space.h"
#include "experiments/record/console.h"

namespace nestgrad {

struct EqualTimeOptions {
  /// Sections of BlackBoxRegistry, or names: {"random", {"type": "optuna"}}.
  std::vector<Json> searches;

  double budget = 60;       ///< processor seconds of each arm with each seed
  std::int64_t seeds = 3;   ///< the configuration's seed and those that follow
  Intervals ranges = {};    ///< see SearchSpace
  std::string folder = {};  ///< "": runs/NAME-search-N
  Talk talk = {};
};

/// Tunes the hyperparameters of a configuration by its estimator and by
/// black-box searches, each in the same processor time, with several seeds.
///
/// A trial of a search trains a network from scratch under constant
/// hyperparameters, for as many steps as a final run of the configuration, and
/// is judged by the metric of the configuration. The result of tuning by
/// hypergradients after some time is a network of the same kind, trained with
/// the hyperparameters that "outer.select" hands out: tuning ends early enough
/// for this last training. Evaluations, loading of data and the
/// start of Python are not counted. All networks of a seed begin at the same
/// weights and see the same minibatches.
///
/// A search whose program is missing is left out with a warning. Returns the
/// exit code.
///
/// Files in the folder:
///
///   search.json       what is compared: the options and the configuration
///   trials.jsonl      one line per trained network
///   results.json, results.csv
///   comparison.png    best metric so far over processor seconds
int compare_at_equal_time(const JsonFile& config,
                          const EqualTimeOptions& options);

/// Whether the folder belongs to such a comparison.
bool is_equal_time_comparison(const std::string& folder);

/// Continues one. Networks that were trained are not trained again.
int resume_equal_time(const std::string& folder, const Talk& talk);

}  // namespace nestgrad
