#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/parameter_set.h"
#include "core/registry.h"

namespace nestgrad {

/// A number that changes from one training step to the next by a formula.
class Schedule {
 public:
  static constexpr const char* kKind = "schedules";

  virtual ~Schedule() = default;

  /// A scalar tensor, on the tape of `natural` if it depends on it.
  virtual Tensor value(const ParameterSet& natural,
                       std::int64_t step) const = 0;
};

using ScheduleRegistry = Registry<Schedule>;

/// A number of a training rule or of a layer: a constant, a hyperparameter, or
/// a schedule. In JSON: 0.1, or "$lr", or
/// {"type": "cosine", "initial": "$lr", "steps": 100}.
///
/// A hyperparameter with one element per training step is a schedule, too; its
/// last element holds on. "$dropout.2" is number 2 of a hyperparameter that has
/// one for each place that refers to it, and "$dropout" itself if it has one
/// for all.
class Setting {
 public:
  Setting(double value);  // NOLINT: 0.1 is a setting
  static Setting from_hyper(std::string name);
  static Setting read(const Config& config, const std::string& key);

  /// A scalar tensor, on the tape of `natural` if it names a hyperparameter.
  Tensor value(const ParameterSet& natural, std::int64_t step) const;

  /// The same where each example has hyperparameters of its own, see
  /// Draw::response: [examples] if it names a hyperparameter. REQUIRES that it
  /// is no schedule that names one.
  Tensor value_of_examples(const ParameterSet& natural,
                           std::int64_t step) const;

  /// The hyperparameter that it names; "" if it names none.
  const std::string& name() const { return name_; }

  /// The number after the dot, in "$name.number"; -1 if there is none.
  std::int64_t position() const { return position_; }

  /// Whether it is this constant, so that a rule may leave a term out.
  bool is(double constant) const;

 private:
  /// Which of `count` numbers stands for it.
  std::int64_t element(std::int64_t count, std::int64_t step) const;

  Tensor constant_;  // undefined if the value is no constant
  double number_;    // what it holds
  std::string name_;
  std::int64_t position_ = -1;
  std::shared_ptr<const Schedule> schedule_;
};

}  // namespace nestgrad
