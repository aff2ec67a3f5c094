#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/config/registry.h"
#include "core/inner_run.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// What a method has to say after one piece of inner training.
struct Estimate {
  ParameterSet gradient;  ///< d objective / d hyper, alike to hyper, off tape
  double objective = 0;   ///< the validation loss that the gradient belongs to
  Status status = Status::kOk;
  Metrics metrics = {};      ///< whatever helps to judge the method, by name
  std::string trouble = {};  ///< what is wrong, unless the status is kOk
};

/// A scalar function of the hyperparameters, off every tape.
using Objective = std::function<double(const ParameterSet& hyper)>;

/// What a method approximates, and its bias is measured against.
enum class Target {
  /// d L(w_T(h), h) / dh through all training since the run began.
  kTraining,
  /// dL/dh - (dF/dh)' (dF/dw)^-T dL/dw at the weights reached, F = df/dw.
  kStationarity,
  /// The same for F = x - step(x), x the weights and the rule's slots.
  kFixedPoint,
  /// An objective of its own, which the claim is, and nothing beyond.
  kOwn
};

/// What one estimate keeps and does, in units of one training step; what it
/// needs beyond that does not depend on the window.
struct Footprint {
  std::int64_t steps = 0;    ///< training steps, repeated ones included
  std::int64_t taped = 0;    ///< of these, on the tape
  std::int64_t on_tape = 0;  ///< steps that are on the tape at the same time
  std::int64_t states = 0;   ///< training states kept at the same time
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

  /// Windows of training that come before that of the first estimate.
  virtual std::int64_t warm_up() const { return 0; }

  /// Trains for one window at `hyper` and estimates the hypergradient there.
  /// Successive calls continue the same training, whatever `hyper` has become.
  virtual Estimate estimate(const ParameterSet& hyper) = 0;

  /// The weights that one would use now, under `hyper`: deployed, off tape.
  virtual ParameterSet weights(const ParameterSet& hyper) const = 0;

  /// Saves or restores all that changes between calls.
  virtual void persist(Archive& archive) = 0;

  // What follows is for those who judge the method (`nestgrad check`, `plan`,
  // `compare`); it has defaults.

  /// The function of h whose derivative the last estimate claims to be, with
  /// all else (weights that it holds constant, solutions of inner systems) as
  /// it was then. Central differences of it tell whether the method computes
  /// what it says. It is written down as the formula, by another way than
  /// estimate() goes. Empty: no claim, the method is judged by its target only.
  virtual Objective claim() const { return {}; }

  /// For a method that is random and has no claim: the function of h whose
  /// derivative its estimates are on average over its own randomness, apart
  /// from a smoothing by perturbations of h.
  virtual Objective mean_claim() const { return {}; }

  virtual Target target() const { return Target::kTraining; }

  /// How far, relatively, those parts of the method are off on a small problem
  /// of known answer that the claim does not judge (a linear solver, where the
  /// claim takes its answer as given). Zero: there are none.
  virtual double parts_error() const { return 0; }

  /// Whether it takes derivatives of a training loss by hyperparameters; then
  /// it is not given any that have none (Hyperparameter::differentiable), nor a
  /// problem without (ProblemAbilities::second_derivatives).
  virtual bool differentiates_training() const { return true; }

  /// From now on the method's own randomness, apart from that of training,
  /// follows `key`. Returns whether it has any.
  virtual bool reseed(const Key& key) {
    (void)key;
    return false;
  }

  /// Needed by plans whose memory or time depends on the window.
  virtual Footprint footprint() const { return {}; }
};

/// The loop outlives the estimator.
using EstimatorRegistry = Registry<HypergradientEstimator, const TrainingLoop&>;

}  // namespace nestgrad
