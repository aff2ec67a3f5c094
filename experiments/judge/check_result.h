#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/judge/judge.h"

namespace nestgrad {

/// The estimate against central differences of what the method claims. All
/// errors are relative.
struct ClaimResult {
  /// One tensor of the hyperparameters.
  struct Part {
    std::string name;
    double error = NAN;           ///< relative to the part's own reference
    std::int64_t directions = 0;  ///< along which it was differentiated
    bool all = false;             ///< the directions are all coordinates
    bool holds = false;           ///< the error is within the tolerance
  };

  Distance distance;         ///< of the projections on all directions
  double uncertainty = NAN;  ///< of the central differences
  std::vector<Part> parts;
  bool known = false;  ///< the central differences are good enough to judge by
  bool holds = false;  ///< the estimate is what the method claims
  double parts_error = 0;  ///< HypergradientEstimator::parts_error()
};

/// The estimate against what the method approximates (Target).
struct BiasResult {
  std::string reference;  ///< how it was obtained, or why there is none
  bool known = false;     ///< there is a reference that is good enough
  double residual = 0;    ///< of the linear system behind it; 0 if exact
  std::optional<Distance> distance;  ///< empty if there is no reference

  /// The same for each tensor of the hyperparameters, by name.
  std::vector<std::pair<std::string, Distance>> parts;
};

/// A random method under several keys of its own randomness. All numbers are
/// relative to the length of the reference or, without one, of the mean.
struct RandomResult {
  std::optional<Distance> distance;  ///< of the mean; empty without reference
  std::int64_t keys = 0;
  double standard_error = NAN;      ///< of the mean
  double standard_deviation = NAN;  ///< of one estimate
  double deviation_low = NAN;       ///< its 95 % interval
  double deviation_high = NAN;
};

/// The mean over keys against central differences of what the method claims on
/// average (HypergradientEstimator::mean_claim).
struct MeanClaimResult {
  Distance distance;
  double standard_error = NAN;  ///< of the mean, relative
  bool holds = false;
};

/// The estimate in the precision of the configuration against the same one in
/// float64.
struct PrecisionResult {
  std::string precision;                  ///< "float32"
  std::optional<Distance> distance = {};  ///< empty if there is no estimate
  std::string trouble = {};               ///< why there is none
};

/// What `nestgrad check` has found out about an estimator.
struct CheckResult {
  Json estimator;                    ///< its section of the configuration
  std::int64_t windows = 0;          ///< of training before the estimate
  std::int64_t hyperparameters = 0;  ///< how many numbers are tuned
  Target target = Target::kTraining;
  Status status = Status::kOk;  ///< of the estimate
  std::string trouble;          ///< what is wrong, unless the status is kOk
  bool finite = false;          ///< otherwise nothing below is filled in

  std::optional<ClaimResult> claim;           ///< if the method has a claim
  std::optional<BiasResult> bias;             ///< if the estimate is finite
  std::optional<RandomResult> random;         ///< if the method is random
  std::optional<MeanClaimResult> mean_claim;  ///< if it is and has no claim

  std::optional<PrecisionResult> precision;  ///< unless that is float64

  bool passed = false;
  std::string verdict;  ///< in one or two sentences

  Json to_json() const;

  /// Some lines for people.
  std::string text() const;
};

}  // namespace nestgrad
