#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/setup/experiment.h"

namespace nestgrad {

/// An estimate g against a reference r.
struct Distance {
  double error = NAN;       ///< |g - r| / |r|; 0 if both are zero
  double cosine = NAN;      ///< of the angle between them
  double norm_ratio = NAN;  ///< |g| / |r|
};

Distance distance(const Tensor& estimate, const Tensor& reference);

/// A derivative that was found without differentiating.
struct Slope {
  double value = NAN;
  double uncertainty = INFINITY;  ///< the largest error to be expected
};

/// df / dt at 0 by central differences of many step lengths, extrapolated to
/// zero length (Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)").
/// The uncertainty is the difference of neighbouring extrapolations, and at
/// least the error that the rounding of f causes.
Slope central_slope(const std::function<double(double)>& f);

/// How an estimate compares with central differences of what it claims to
/// differentiate, for one tensor of the hyperparameters.
struct ClaimPart {
  std::string name;
  std::int64_t directions = 0;  ///< along which it was differentiated
  bool all = false;             ///< the directions are all coordinates
  Tensor estimate, reference;   ///< projections on the directions
  double uncertainty = 0;       ///< of the reference, absolute

  double error() const;  ///< |estimate - reference|, absolute
};

/// Compares `gradient` with central differences of `claim` at `hyper`. A tensor
/// of at most `few` numbers is compared coordinate by coordinate, a larger one
/// along the gradient's own direction and some random ones.
std::vector<ClaimPart> judge_claim(const ParameterSet& gradient,
                                   const Objective& claim,
                                   const ParameterSet& hyper,
                                   std::int64_t few = 16);

/// A fresh estimator that has made `times` estimates at the initial
/// hyperparameters. With a `key`, the method's own randomness follows it.
std::unique_ptr<HypergradientEstimator> asked(
    const Experiment& experiment, const Config& section, std::int64_t times,
    const std::optional<Key>& key = {});

/// The estimates of a random method under several keys.
struct Draws {
  ParameterSet mean;
  double standard_error = 0;  ///< of the mean, the length of a vector
  double standard_deviation = 0;

  /// exp(s / v) for the variance v and its own standard error s. The interval
  /// from the deviation divided by this factor to the deviation times this
  /// factor has 95 % confidence.
  double deviation_factor = 1;
};

/// `ask` gives an estimate under a key of the method's own randomness.
Draws draw_estimates(std::int64_t keys,
                     const std::function<ParameterSet(const Key&)>& ask);

/// Throws ConfigError unless a hyperparameter is tuned: otherwise there is no
/// hypergradient to judge.
void require_tuning(const Experiment& experiment);

/// The hypergradient that a method approximates, at whatever cost.
struct Reference {
  ParameterSet gradient;  ///< empty if there is no reference
  std::string how;        ///< how it was obtained, or why it is missing
  double residual = 0;    ///< of the linear system behind it; 0 if exact

  /// Whether there is a reference whose linear system is solved well enough.
  bool good() const { return !gradient.empty() && residual <= 1e-4; }
};

/// The reference for `target` at `hyper`, after `turns` turns of training under
/// `hyper`; see InnerRun.
Reference make_reference(const Experiment& experiment, const Config& estimator,
                         const ParameterSet& hyper, Target target,
                         std::int64_t turns);

/// "training", "stationarity", "fixed_point", "own".
const char* to_string(Target target);

}  // namespace nestgrad
