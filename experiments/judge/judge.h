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

/// A derivative that is known by another way.
struct Slope {
  double value = NAN;
  double uncertainty = INFINITY;  ///< how far it may be off
};

/// df / dt at 0 by central differences of many step lengths, extrapolated to
/// zero length (Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)").
/// The uncertainty is how far neighbouring extrapolations differ, and at least
/// what the rounding of f makes of it.
Slope central_slope(const std::function<double(double)>& f);

/// How an estimate compares with central differences of what it claims to
/// differentiate, for one tensor of the hyperparameters.
struct ClaimPart {
  std::string name;
  std::int64_t directions = 0;  ///< along which it was differentiated
  bool all = false;             ///< these are all coordinates
  Tensor estimate, reference;   ///< projections on them
  double uncertainty = 0;       ///< of the reference, absolute

  double error() const;  ///< |estimate - reference|, absolute
};

/// Compares `gradient` with central differences of `claim` at `hyper`: for
/// every tensor coordinate by coordinate if it has at most `few` numbers, and
/// otherwise along the gradient's own direction and some random ones.
std::vector<ClaimPart> judge_claim(const ParameterSet& gradient,
                                   const Objective& claim,
                                   const ParameterSet& hyper,
                                   std::int64_t few = 16);

/// A fresh estimator of a section that has been asked so often at the initial
/// hyperparameters, with a key of its own randomness if there is one.
std::unique_ptr<HypergradientEstimator> asked(
    const Experiment& experiment, const Config& section, std::int64_t times,
    const std::optional<Key>& key = {});

/// What a random method says under several keys.
struct Draws {
  ParameterSet mean;
  double standard_error = 0;  ///< of the mean, the length of a vector
  double standard_deviation = 0;

  /// exp(s / v) for the variance v and its own standard error s: between the
  /// deviation divided by this factor and times it is 95 % confidence.
  double deviation_factor = 1;
};

/// `ask` gives an estimate under a key of the method's own randomness.
Draws draw_estimates(std::int64_t keys,
                     const std::function<ParameterSet(const Key&)>& ask);

/// Throws ConfigError unless there is a hyperparameter to tune, and so a
/// hypergradient to judge.
void require_tuning(const Experiment& experiment);

/// What a method approximates, computed with as much work as it takes.
struct Reference {
  ParameterSet gradient;  ///< empty if there is none
  std::string how;        ///< how it was come by, or why it is missing
  double residual = 0;    ///< of the linear system behind it; 0 if exact

  /// There is one, and its linear system is solved well enough to judge by.
  bool good() const { return !gradient.empty() && residual <= 1e-4; }
};

/// The reference for `target` at `hyper`, where training has run for so many
/// turns under it; see InnerRun.
Reference make_reference(const Experiment& experiment, const Config& estimator,
                         const ParameterSet& hyper, Target target,
                         std::int64_t turns);

/// "training", "stationarity", "fixed_point", "own".
const char* to_string(Target target);

}  // namespace nestgrad
