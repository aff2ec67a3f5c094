#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config/config.h"
#include "core/config/registry.h"
#include "core/tensor/parameter_set.h"
#include "core/tensor/scale.h"

namespace nestgrad {

struct TrainState;

/// A number given by a formula of the training step.
class Schedule {
 public:
  static constexpr const char* kKind = "schedules";

  virtual ~Schedule() = default;

  /// As Setting::value(); on the tape of `natural` if it depends on it.
  virtual Tensor value(const ParameterSet& natural, std::int64_t step,
                       std::int64_t particles) const = 0;
};

using ScheduleRegistry = Registry<Schedule>;

/// A number of a training rule or of a layer: a constant, a hyperparameter, or
/// a schedule. In JSON: 0.1, or "$lr", or
/// {"type": "cosine", "initial": "$lr", "steps": 100}.
///
/// A hyperparameter with one element per training step also acts as a schedule;
/// its last element stays in effect. One with [1, n] elements has one for each
/// of the n layers, tensors or weights; see spread(). "$dropout.2" is element 2
/// of a hyperparameter that has one element for each place that refers to it,
/// and equals "$dropout" if there is one for all.
class Setting {
 public:
  Setting(double value);  // NOLINT: 0.1 is a setting
  static Setting from_hyper(std::string name);
  static Setting read(const Config& config, const std::string& key);

  /// A scalar tensor, or [n] if there is one number for each of n parts. With
  /// `particles`, each of which has hyperparameters of its own, [particles, 1]
  /// or [particles, n] unless it is a constant; the same for examples that have
  /// hyperparameters of their own, see Draw::response. On the tape of `natural`
  /// if it names a hyperparameter.
  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles = 0) const;

  /// The value as a factor for the weights of a state and its particles. Throws
  /// Error if the number of elements fits no granularity of the weights.
  Scale scale(const ParameterSet& natural, const TrainState& state) const;

  /// The value where it must be one number for all weights: a scalar tensor or,
  /// with particles, [particles]. Throws Error if it is not.
  Tensor one(const ParameterSet& natural, const TrainState& state) const;

  /// Whether value() is the same at every step.
  bool same_at_every_step(const ParameterSet& natural,
                          std::int64_t particles) const;

  /// The hyperparameter that it names; "" if it names none.
  const std::string& name() const { return name_; }

  /// The number after the dot in "$name.number"; -1 if there is none.
  std::int64_t position() const { return position_; }

  /// Whether it is this constant, so that a rule may leave a term out.
  bool is(double constant) const;

 private:
  /// Which of `count` elements is the value at `step`.
  std::int64_t element(std::int64_t count, std::int64_t step) const;

  Tensor constant_;  // undefined if the value is not constant
  double number_;    // the number in constant_
  std::string name_;
  std::int64_t position_ = -1;
  std::shared_ptr<const Schedule> schedule_;
};

}  // namespace nestgrad
