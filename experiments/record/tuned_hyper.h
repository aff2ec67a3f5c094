#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/config.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {

/// What the numbers of hyperparameters are called ("cat", "dog"), by the name
/// of the hyperparameter. One that is not listed has numbers without names.
using NumberNames = std::map<std::string, std::vector<std::string>>;

/// What the records and pages of a run say about a hyperparameter that it
/// tunes.
struct TunedHyper {
  std::string name;
  std::string meaning;       ///< a sentence, with units; "" if it is not known
  bool logarithmic = false;  ///< it is moved in logarithms
  std::int64_t numbers = 1;  ///< how many it consists of
  std::vector<std::string> number_names = {};  ///< of each of them, or none

  /// The start in its own units, as summary_of() shows it.
  std::vector<std::pair<std::string, double>> start = {};

  /// The start of a schedule, one number for each training step; undefined for
  /// others.
  Tensor schedule = {};

  /// The interval in which its coordinates keep it, if they do.
  std::optional<std::pair<double, double>> range = {};

  /// Whether `start` has its mean, least and largest number only.
  bool summarized() const {
    return numbers > static_cast<std::int64_t>(start.size());
  }

  /// Whether more than half of its numbers are nearer to an end of the range
  /// than a hundredth of its length.
  bool is_at_end(const Tensor& natural) const;

  /// For run.json.
  Json to_json() const;
};

/// Those of an experiment, in its order. `config`: its configuration.
std::vector<TunedHyper> tuned_hypers(const Config& config,
                                     const Experiment& experiment);

}  // namespace nestgrad
