#pragma once

#include <cstdint>
#include <optional>

#include "core/config/registry.h"
#include "core/hyperparameter.h"
#include "core/setting.h"
#include "core/storage/archive.h"
#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The complete state of training, as a value.
struct TrainState {
  ParameterSet weights;
  ParameterSet slots;  ///< the rule's memory: momentum, second moments, ...
  std::int64_t step = 0;

  /// If positive, the states of this many particles. Their axis is the first of
  /// every tensor; see Draw::particles.
  std::int64_t particles = 0;

  /// What the noise of the next step is drawn from, the same for all particles.
  /// A training loop sets it for its own steps, as a function of the run and
  /// the number of the step, and nobody saves it.
  std::optional<Key> noise = {};

  TrainState detach() const;

  /// Weights and slots as one set: everything that a derivative of training
  /// passes through. The slots come last, their names prefixed by "slots/".
  ParameterSet joined() const;

  /// The inverse: this state with the tensors of a set alike to joined().
  TrainState with(const ParameterSet& joined) const;
  void persist(Archive& archive);
};

/// The numbers of a training step that can be undone:
///
///   v <- momentum v + g + weight_decay w
///   w <- w - lr v
///
/// The velocity v is the rule's only slot and g is the gradient at the old w.
/// The new w and v determine the old w, then g at it, then the old v.
struct MomentumStep {
  double lr, momentum, weight_decay;
};

/// A training rule as a pure function of its arguments.
///
/// It holds no weights and no memory, so one instance serves any number of
/// runs. It works out of place, so a step may be on a tape and be
/// differentiated with respect to the weights, the slots, the gradient and the
/// settings. The same rules train weights and move hyperparameters.
class Optimizer {
 public:
  static constexpr const char* kKind = "optimizers";

  virtual ~Optimizer() = default;

  /// The memory before the first step; empty for a rule without memory. Tensors
  /// are named by slot and weight: "momentum/0.bias". Numbers of the whole rule
  /// come last, scalars without a slash in their names.
  virtual ParameterSet slots(const ParameterSet& weights) const = 0;

  /// One step. `gradient` is alike to state.weights. `natural` holds the
  /// hyperparameters that settings may name, in their own units. Weights and
  /// slots keep their floating-point types. Particles are moved one by one if
  /// the rule does not vectorize.
  TrainState step(const TrainState& state, const ParameterSet& gradient,
                  const ParameterSet& natural) const;

  /// The weights by which a network that was trained from scratch is judged.
  virtual ParameterSet deployed(const TrainState& state) const {
    return state.weights;
  }

  /// The form of step number `step`, if it is a MomentumStep for every weight.
  virtual std::optional<MomentumStep> momentum_step(const ParameterSet& natural,
                                                    std::int64_t step) const {
    (void)natural, (void)step;
    return std::nullopt;
  }

  /// Hyperparameters that the rule declares for weights like these, beyond the
  /// numbers named by its settings.
  virtual std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const {
    (void)weights;
    return {};
  }

  /// Whether update() can take all particles at once: it multiplies only by
  /// Setting::scale() and does not sum over particles.
  virtual bool vectorizes() const { return false; }

  /// Whether update() of some of the numbers is that part of the update of all:
  /// no number depends on another's gradient, and settings are those of all.
  virtual bool moves_each_number() const { return false; }

  /// Whether update() does the same at every step: it does not count steps, and
  /// with these hyperparameters its settings do not change.
  virtual bool same_at_every_step(const ParameterSet& natural,
                                  std::int64_t particles) const {
    (void)natural, (void)particles;
    return false;
  }

  /// Whether update() draws noise, from TrainState::noise. Such a rule trains
  /// weights in a training loop; nothing else has noise for it.
  virtual bool draws_noise() const { return false; }

  /// Whether the rule treats each weight tensor as a unit, so that the weights
  /// may not be joined into one vector.
  virtual bool sees_tensors() const { return false; }

 private:
  /// The rule itself. Settings are in double precision.
  virtual TrainState update(const TrainState& state,
                            const ParameterSet& gradient,
                            const ParameterSet& natural) const = 0;
};

using OptimizerRegistry = Registry<Optimizer>;

}  // namespace nestgrad
