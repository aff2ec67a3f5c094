#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/config/registry.h"
#include "core/inner_run.h"
#include "core/observer.h"
#include "core/platform/error.h"
#include "core/problem.h"
#include "core/storage/archive.h"
#include "core/tensor/number.h"

namespace nestgrad {

class AttributionPass;
struct AttributionTask;

/// The answer of a method after one window of inner training.
struct Estimate {
  ParameterSet gradient;  ///< d objective / d hyper, alike to hyper, off tape
  Number objective = 0;   ///< the validation loss that the gradient belongs to
  Status status = Status::kOk;
  Metrics metrics = {};      ///< numbers that help to judge the method, by name
  std::string trouble = {};  ///< what is wrong, unless the status is kOk

  /// The settings that the method had to find itself, as a part of its section:
  /// {"solver": {"scale": 0.125}} if the scale of the solver was "auto".
  Json used = Json::object();
};

/// A scalar function of the hyperparameters, off every tape.
using Objective = std::function<double(const ParameterSet& hyper)>;

/// What a method approximates. Its bias is measured against this.
enum class Target {
  /// d L(w_T(h), h) / dh through all training since the run began.
  kTraining,
  /// dL/dh - (dF/dh)' (dF/dw)^-T dL/dw at the weights reached, F = df/dw.
  kStationarity,
  /// The same for F = x - step(x), x the weights and the rule's slots.
  kFixedPoint,
  /// An objective of its own, namely its claim.
  kOwn
};

/// The work and the memory of one estimate, counted in training steps and
/// training states. Whatever else it needs does not depend on the window.
struct Footprint {
  std::int64_t steps = 0;    ///< training steps, repeated ones included
  std::int64_t taped = 0;    ///< the part of `steps` that is on the tape
  std::int64_t on_tape = 0;  ///< steps that are on the tape at the same time
  std::int64_t states = 0;   ///< training states kept at the same time
};

/// Estimates hypergradients of a bilevel problem.
///
/// An estimator owns the inner training: it decides how weights move, which
/// steps are on a tape, how many runs there are at once, and even what the
/// weights are. The outer loop only hands it hyperparameters and gets an
/// estimate back, so everything a method needs is in one class, usually in one
/// file. To add a method, see docs/adding_an_estimator.md.
///
/// Every estimator keeps this contract (tests/contracts/contract_test.cpp):
///  - after begin(h, key), the estimates depend on the calls and on `key` only,
///    not on LibTorch's global generator or on other estimators;
///  - `hyper` is not changed, and nothing that is returned is on a tape;
///  - persist() loses nothing: a restored estimator continues identically.
class HypergradientEstimator {
 public:
  static constexpr const char* kKind = "estimators";

  /// The keys that every estimator has: how training is cut into windows.
  static Schema common_schema() { return Truncation::schema(); }

  virtual ~HypergradientEstimator() = default;

  /// Starts inner training afresh. Called before anything else, except before
  /// persist() that restores.
  virtual void begin(const ParameterSet& hyper, const Key& key) = 0;

  /// Windows of training before the window of the first estimate.
  virtual std::int64_t warm_up() const { return 0; }

  /// Trains for one window at `hyper` and estimates the hypergradient there.
  /// Successive calls continue the same training, whatever `hyper` has become.
  virtual Estimate estimate(const ParameterSet& hyper) = 0;

  /// The weights that one would use now, under `hyper`: deployed, off tape. One
  /// rank may ask without the others, so nothing is exchanged.
  virtual ParameterSet weights(const ParameterSet& hyper) const = 0;

  /// Where they stand in training.
  virtual TrainingPosition position() const { return {}; }

  /// The metric of BilevelProblem::evaluate() that takes the place of that of
  /// the problem; "" if none does.
  virtual std::string metric() const { return ""; }

  /// Saves or restores all that changes between calls.
  virtual void persist(Archive& archive) = 0;

  // The functions below have defaults. They serve `nestgrad check`, `compare`
  // and `plan`, and messages that advise another method.

  /// The function of h whose derivative the last estimate claims to be. All
  /// else (weights that the method holds constant, solutions of inner systems)
  /// is as it was in that estimate. Central differences of the claim tell
  /// whether the method computes what it says, so the claim follows the formula
  /// by another way than estimate() does. Empty: there is no claim, and the
  /// method is judged by its target only.
  virtual Objective claim() const { return {}; }

  /// For a method that is random and has no claim: the function of h whose
  /// derivative the estimates are on average over the method's randomness. A
  /// smoothing by perturbations of h is left aside.
  virtual Objective mean_claim() const { return {}; }

  virtual Target target() const { return Target::kTraining; }

  /// The relative error of the parts that the claim does not judge, on a small
  /// problem whose answer is known. Such a part is a linear solver whose answer
  /// the claim takes as given. Zero: the claim judges all of the method.
  virtual double parts_error() const { return 0; }

  /// Whether it takes derivatives of the training loss by hyperparameters. If
  /// so, it may not tune hyperparameters without a derivative
  /// (Hyperparameter::differentiable), nor serve a problem without
  /// ProblemAbilities::second_derivatives.
  virtual bool differentiates_training() const { return true; }

  /// Whether it takes derivatives of gradients of the training loss, as
  /// configured. If so, it may not serve a problem without
  /// ProblemAbilities::second_derivatives.
  virtual bool differentiates_twice() const {
    return differentiates_training();
  }

  /// Whether it subtracts losses or gradients of neighbouring points from each
  /// other, as configured, and divides by their distance, so that rounding in a
  /// network matters. False where noise of a chosen size is a part of the
  /// method (evolution strategies).
  virtual bool takes_differences() const { return false; }

  /// Whether the ranks of the training loop's world divide its work. If not,
  /// they can divide the examples of minibatches, of which it knows nothing.
  virtual bool divides_work() const { return false; }

  /// The setting under which differentiates_twice() is false, as JSON of this
  /// method's section: {"products": "finite_difference"}. Null if there is
  /// none.
  virtual Json setting_without_second_derivatives() const { return nullptr; }

  /// From now on the method's own randomness follows `key`; the randomness of
  /// training does not change. Returns whether the method is random.
  virtual bool reseed(const Key& key) {
    (void)key;
    return false;
  }

  /// The derivatives of several functions of the weights that training leads
  /// to, by the hyperparameters, with the approximation that this method makes;
  /// see AttributionPass. Null if it cannot. This estimator, which need not
  /// have begun, outlives the pass.
  virtual std::unique_ptr<AttributionPass> attribute(
      const AttributionTask& task) const;

  /// Needed for a plan if memory or time depends on the window.
  virtual Footprint footprint() const { return {}; }

  /// The section of this estimator, changed for a short rehearsal: windows of
  /// `window` steps with `outer_steps_per_window` estimates each, as many
  /// windows in a horizon as before, and no warm-up. A method overrides this if
  /// it has keys of its own that must change with the window.
  virtual Json rehearsal(const Json& section, std::int64_t window,
                         std::int64_t outer_steps_per_window) const;
};

/// The key "warm_up", for methods that train before the first estimate.
Schema warm_up_schema();

/// The windows of warm-up that the section of an estimator asks for; 0 if its
/// method has no such key.
std::int64_t read_warm_up(const Config& section);

/// Makes estimators. The training loop outlives the estimator.
using EstimatorRegistry = Registry<HypergradientEstimator, const TrainingLoop&>;

}  // namespace nestgrad
