#pragma once

#include <cstdint>
#include <optional>

#include "core/config/registry.h"
#include "core/hyperparameter.h"
#include "core/setting.h"
#include "core/storage/archive.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// All that changes during training, as a value.
struct TrainState {
  ParameterSet weights;
  ParameterSet slots;  ///< the rule's memory: momentum, second moments, ...
  std::int64_t step = 0;

  /// If there are some, these are the states of so many particles, whose axis
  /// is the first of every tensor; see Draw::particles.
  std::int64_t particles = 0;

  TrainState detach() const;

  /// Weights and slots as one set: all that a derivative of training can pass
  /// through. The slots come last, "slots/" before their names.
  ParameterSet joined() const;

  /// The inverse: this state with the numbers of a set that is alike to
  /// joined().
  TrainState with(const ParameterSet& joined) const;
  void persist(Archive& archive);
};

/// One step that can be undone, as numbers:
///
///   v <- momentum v + g + weight_decay w
///   w <- w - lr v
///
/// with the velocity v as the rule's only slot and the gradient g at the old w:
/// from the new w and v follow the old w, then g there, then the old v.
struct MomentumStep {
  double lr, momentum, weight_decay;
};

/// A training rule as a pure function of its arguments.
///
/// It holds no weights and no memory, so one instance serves any number of
/// runs. It works out of place, so that a step may be on a tape: a derivative
/// can pass through it, to the weights, the slots, the gradient and the
/// settings alike. The same rules train weights and move hyperparameters.
class Optimizer {
 public:
  static constexpr const char* kKind = "optimizers";

  virtual ~Optimizer() = default;

  /// The memory before the first step; empty for a rule without memory. One
  /// tensor is named after the slot and the weight: "momentum/0.bias".
  virtual ParameterSet slots(const ParameterSet& weights) const = 0;

  /// One step. `gradient` is alike to state.weights; `natural` holds the
  /// hyperparameters that settings may name, in their own units. Weights and
  /// slots keep their floating-point types. Particles move one after another if
  /// the rule does not vectorize.
  TrainState step(const TrainState& state, const ParameterSet& gradient,
                  const ParameterSet& natural) const;

  /// What step number `step` does to every weight, for a rule of that form.
  virtual std::optional<MomentumStep> momentum_step(const ParameterSet& natural,
                                                    std::int64_t step) const {
    (void)natural, (void)step;
    return std::nullopt;
  }

  /// Hyperparameters that it names and that are more than a number of a
  /// Setting, for weights like these.
  virtual std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const {
    (void)weights;
    return {};
  }

  /// Whether the rule works for particles as it does for one: it multiplies
  /// with nothing but a Setting::scale(), and sums over no particles.
  virtual bool vectorizes() const { return false; }

  /// Whether it treats weights by the tensor that they are in, so that they may
  /// not be joined into one vector.
  virtual bool sees_tensors() const { return false; }

 private:
  /// The rule itself. Settings are in double precision.
  virtual TrainState update(const TrainState& state,
                            const ParameterSet& gradient,
                            const ParameterSet& natural) const = 0;
};

using OptimizerRegistry = Registry<Optimizer>;

}  // namespace nestgrad
