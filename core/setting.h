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

/// A number of a training rule: a constant, a hyperparameter, or a schedule. In
/// JSON: 0.1, or "$lr", or {"type": "cosine", "initial": "$lr", "steps": 100}.
///
/// A hyperparameter with one element per training step is a schedule, too; its
/// last element holds on.
class Setting {
 public:
  Setting(double value);  // NOLINT: 0.1 is a setting
  static Setting from_hyper(std::string name);
  static Setting read(const Config& config, const std::string& key);

  /// A scalar tensor, on the tape of `natural` if it names a hyperparameter.
  Tensor value(const ParameterSet& natural, std::int64_t step) const;

  /// Whether it is this constant, so that a rule may leave a term out.
  bool is(double constant) const;

 private:
  Tensor constant_;  // undefined if the value is no constant
  double number_;    // what it holds
  std::string name_;
  std::shared_ptr<const Schedule> schedule_;
};

}  // namespace nestgrad
