#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/setting.h"

namespace nestgrad {
namespace {

constexpr double kPi = 3.14159265358979323846;

/// The same number at every step.
class Constant : public Schedule {
 public:
  explicit Constant(const Config& config)
      : value_(Setting::read(config, "value")) {}

  static Schema schema() {
    return Schema("The same value at every step.")
        .setting("value", kRequired, "The value.");
  }

  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles) const override {
    return value_.value(natural, step, particles);
  }

 private:
  Setting value_;
};

/// From `initial` to `final` in `steps` steps: s final + (1 - s) initial, where
/// the share s((t - after) / steps) is 0 up to step `after`, goes to 1 and then
/// stays at 1. `Curve` has a share() and a kMeaning.
template <class Curve>
class Between : public Schedule {
 public:
  explicit Between(const Config& config)
      : initial_(Setting::read(config, "initial")),
        final_(Setting::read(config, "final")),
        steps_(config.integer("steps")),
        after_(config.integer("after")) {}

  static Schema schema() {
    return Schema(Curve::kMeaning)
        .setting("initial", kRequired, "Value at the first step.")
        .setting("final", 0, "Value in the end.")
        .integer("steps", kRequired,
                 "Number of steps from `initial` to `final`.", at_least(1))
        .integer("after", 0, "Number of steps at `initial` before these.",
                 at_least(0));
  }

  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles) const override {
    const auto moving = static_cast<double>(
        std::max<std::int64_t>(0, std::min(step - after_, steps_)));
    const double share = Curve::share(moving / static_cast<double>(steps_));
    return at::add((1 - share) * initial_.value(natural, step, particles),
                   final_.value(natural, step, particles), share);
  }

 private:
  Setting initial_, final_;
  std::int64_t steps_, after_;
};

/// Half a cosine (Loshchilov and Hutter 2017, "SGDR", without restarts):
/// 1 - s = (1 + cos(pi t)) / 2.
struct CosineCurve {
  static constexpr const char* kMeaning =
      "Half a cosine from one value to another.";
  static double share(double t) { return 1 - (1 + std::cos(kPi * t)) / 2; }
};

struct LinearCurve {
  static constexpr const char* kMeaning =
      "A straight line from one value to another.";
  static double share(double t) { return t; }
};

using Cosine = Between<CosineCurve>;
using Linear = Between<LinearCurve>;

/// Decays like a power of time: initial (1 + t / steps)^-decay.
class InverseTime : public Schedule {
 public:
  explicit InverseTime(const Config& config)
      : initial_(Setting::read(config, "initial")),
        decay_(Setting::read(config, "decay")),
        steps_(config.integer("steps")) {}

  static Schema schema() {
    return Schema("Decays like a power of time.")
        .setting("initial", kRequired, "Value at the first step.")
        .setting("decay", 1, "The exponent; 0: constant.", at_least(0))
        .integer("steps", kRequired,
                 "Number of steps after which it has fallen by a factor of 2 "
                 "to the power of `decay`.",
                 at_least(1));
  }

  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles) const override {
    const double time =
        1 + static_cast<double>(step) / static_cast<double>(steps_);
    // A power with a constant base, differentiable in the exponent.
    const Tensor decay = decay_.value(natural, step, particles);
    return initial_.value(natural, step, particles) *
           (-std::log(time) * decay).exp();
  }

 private:
  Setting initial_, decay_;
  std::int64_t steps_;
};

/// Multiplied by `factor` every `every` steps: initial factor^floor(t / every).
class Step : public Schedule {
 public:
  explicit Step(const Config& config)
      : initial_(Setting::read(config, "initial")),
        factor_(Setting::read(config, "factor")),
        every_(config.integer("every")) {}

  static Schema schema() {
    return Schema("Multiplied by a factor at regular intervals.")
        .setting("initial", kRequired, "Value at the first step.")
        .setting("factor", 0.1, "The factor.", above(0))
        .integer("every", kRequired, "Number of steps between two changes.",
                 at_least(1));
  }

  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles) const override {
    return initial_.value(natural, step, particles) *
           factor_.value(natural, step, particles)
               .pow(static_cast<double>(step / every_));
  }

 private:
  Setting initial_, factor_;
  std::int64_t every_;
};

/// Multiplies a value by a factor that rises linearly in the first `steps`
/// steps:
///
///   value(t) min(1, (t + 1) / steps)
class WarmUp : public Schedule {
 public:
  explicit WarmUp(const Config& config)
      : value_(Setting::read(config, "value")),
        steps_(config.integer("steps")) {}

  static Schema schema() {
    return Schema("Rises linearly from near zero at the beginning.")
        .setting("value", kRequired,
                 "The value that is reached; may be a schedule.")
        .integer("steps", kRequired, "Number of steps until it is reached.",
                 at_least(1));
  }

  Tensor value(const ParameterSet& natural, std::int64_t step,
               std::int64_t particles) const override {
    const double share = std::min(
        1.0, static_cast<double>(step + 1) / static_cast<double>(steps_));
    return share * value_.value(natural, step, particles);
  }

 private:
  Setting value_;
  std::int64_t steps_;
};

NESTGRAD_REGISTER(ScheduleRegistry, "constant", Constant)
NESTGRAD_REGISTER(ScheduleRegistry, "cosine", Cosine)
NESTGRAD_REGISTER(ScheduleRegistry, "inverse_time", InverseTime)
NESTGRAD_REGISTER(ScheduleRegistry, "linear", Linear)
NESTGRAD_REGISTER(ScheduleRegistry, "step", Step)
NESTGRAD_REGISTER(ScheduleRegistry, "warm_up", WarmUp)

}  // namespace
}  // namespace nestgrad
