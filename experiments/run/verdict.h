#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/run/final_runs.h"

namespace nestgrad {

/// A mean over pairs of networks, and the half width of its 95 % confidence
/// interval by Student's t distribution: t s / sqrt(n), where s is the standard
/// deviation of the n numbers. The half width is NaN for n = 1.
struct PairedMean {
  double mean = 0;
  double half_width = 0;

  /// REQUIRES at least one number.
  explicit PairedMean(const std::vector<double>& numbers);
};

/// What a run knows of its own result.
struct VerdictFacts {
  FinalRun start, found;  ///< training from scratch under both
  std::string metric;     ///< what tells a better result, "valid_loss" say
  Metrics tuned;          ///< of the weights of tuning that are handed out
  std::int64_t outer_steps = 0;
  bool start_is_best = false;  ///< no evaluation was better than the start's
  bool last_is_best = false;   ///< none was better than the last one
  bool trained_less = false;   ///< the weights of the best step have been
                               ///< trained for fewer steps than later ones
  std::vector<std::string> at_ends = {};  ///< hyperparameters that are now at
                                          ///< an end of their range
  std::string estimator_trouble = {};     ///< what not converged means; or ""
};

/// Whether training from scratch under the hyperparameters found is better than
/// under those of the start.
///
/// Network i of both final runs has the same initial weights and the same
/// minibatches, so their difference has less noise than either. The rule: the
/// found hyperparameters are better (worse) if the 95 % confidence interval of
/// the mean difference lies above (below) zero. A difference of less than a
/// millionth of the start's value is rounding, and counts as none.
struct Verdict {
  enum class Outcome {
    kBetter,
    kNoDifference,  ///< beyond the noise
    kWorse,
    kUnknown  ///< one network, or both diverged
  };

  Outcome outcome = Outcome::kUnknown;
  std::string metric;  ///< what was judged; "" if training diverged
  std::int64_t networks = 0;

  /// How much better the found hyperparameters are: the start's metric less
  /// theirs, or the reverse if larger is better.
  double difference = 0;
  double noise = 0;  ///< half the width of the interval; NaN if not known

  std::string sentence;              ///< the outcome with its numbers
  std::vector<std::string> reasons;  ///< what may explain it, if not better

  /// "better", "no difference", "worse", "unknown".
  const char* word() const;

  /// The last line of a run.
  std::string text() const;

  /// For summary.json.
  Json to_json() const;
};

/// Empty if the final runs have no metric of validation data.
std::optional<Verdict> verdict_on(const VerdictFacts& facts);

}  // namespace nestgrad
