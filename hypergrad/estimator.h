#pragma once

#include <memory>
#include <string>

#include "core/archive.h"
#include "core/error.h"
#include "core/inner_run.h"
#include "core/problem.h"
#include "core/registry.h"

namespace nestgrad {

/// What a method has to say after one piece of inner training.
struct Estimate {
  ParameterSet gradient;  ///< d objective / d hyper, alike to hyper, off tape
  double objective = 0;   ///< the validation loss that the gradient belongs to
  Status status = Status::kOk;
  Metrics metrics = {};      ///< whatever helps to judge the method, by name
  std::string trouble = {};  ///< what is wrong, unless the status is kOk
};

/// Estimates hypergradients of a bilevel problem.
///
/// An estimator owns the inner training: it decides how weights move, which of
/// those moves are on a tape, how many runs there are at once, and even what
/// the weights are. The outer loop only hands it hyperparameters and gets an
/// estimate back, so everything a method needs is in one class, usually in one
/// file. To add a method, see docs/adding_an_estimator.md.
///
/// What tests/estimator_contract_test.cpp holds every estimator to:
///  - after begin(h, key), the estimates depend on the calls and on `key` only,
///    not on LibTorch's global generator or on other estimators;
///  - `hyper` is not changed, and nothing that is returned is on a tape;
///  - persist() loses nothing: a restored estimator continues identically.
class HypergradientEstimator {
 public:
  static constexpr const char* kKind = "estimators";

  /// The keys that every estimator has: how inner training is cut.
  static Schema common_schema() { return Truncation::schema(); }

  virtual ~HypergradientEstimator() = default;

  /// Starts inner training afresh. Called before anything else, except before
  /// persist() that restores.
  virtual void begin(const ParameterSet& hyper, const Key& key) = 0;

  /// Trains for one window at `hyper` and estimates the hypergradient there.
  /// Successive calls continue the same training, whatever `hyper` has become.
  virtual Estimate estimate(const ParameterSet& hyper) = 0;

  /// The weights that one would use now, under `hyper`: deployed, off tape.
  virtual ParameterSet weights(const ParameterSet& hyper) const = 0;

  /// Saves or restores all that changes between calls.
  virtual void persist(Archive& archive) = 0;
};

/// The loop outlives the estimator.
using EstimatorRegistry = Registry<HypergradientEstimator, const TrainingLoop&>;

}  // namespace nestgrad
