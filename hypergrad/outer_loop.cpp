#include "hypergrad/outer_loop.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"

namespace nestgrad {
namespace {

/// What to do when training or hyperparameters have gone out of range.
constexpr const char* kRemedy =
    "; smaller learning rates in \"inner\" or \"outer\", or a \"range\" with "
    "\"logit\" coordinates, keep training stable";

/// Why an estimate cannot be followed, in words; "" if it can.
std::string trouble_of(const Estimate& estimate, double norm) {
  if (!std::isfinite(estimate.objective)) {
    return fmt::format("the validation loss is {}{}",
                       std::isnan(estimate.objective) ? "not a number"
                       : estimate.objective > 0       ? "inf"
                                                      : "-inf",
                       kRemedy);
  }
  if (estimate.status == Status::kDiverged) {
    return estimate.trouble.empty() ? "the estimate has failed"
                                    : estimate.trouble;
  }
  // Squares of large numbers may be infinite where these are not.
  const ParameterSet& g = estimate.gradient;
  if (std::isfinite(norm) || all_finite(g)) return "";
  for (std::size_t i = 0; i < g.size(); ++i) {
    if (!g.tensors()[i].isfinite().all().item<bool>()) {
      return fmt::format("the hypergradient of '{}' is not finite{}", g.name(i),
                         kRemedy);
    }
  }
  return "";
}

/// An estimate and its costs.
struct Measured {
  Estimate estimate;
  double seconds = 0;
  std::int64_t bytes = 0;  // 0 if memory is not counted
};

Measured measured_estimate(HypergradientEstimator& estimator,
                           const ParameterSet& hyper) {
  std::optional<MemoryMeter> memory;
  if (MemoryMeter::running()) memory.emplace();
  const Stopwatch watch;
  Measured out;
  out.estimate = estimator.estimate(hyper);
  out.seconds = watch.seconds();
  if (memory) out.bytes = memory->peak();
  return out;
}

/// Adds what an outer step records of its estimate. Refers to `measured`.
void add_estimate(const Measured& measured, OuterStep& record) {
  const Estimate& estimate = measured.estimate;
  record.objective = estimate.objective;
  record.estimate_seconds = measured.seconds;
  record.estimate_bytes = measured.bytes;
  record.status = estimate.status;
  record.trouble = &estimate.trouble;
  record.metrics = &estimate.metrics;
  record.used = &estimate.used;
}

}  // namespace

const char* to_string(Termination termination) {
  switch (termination) {
    case Termination::kFinished:
      return "finished";
    case Termination::kStopped:
      return "stopped";
    case Termination::kDiverged:
      return "diverged";
  }
  return "unknown";
}

OuterLoop::OuterLoop(HypergradientEstimator& estimator,
                     const BilevelProblem& problem, OuterRule rule,
                     std::int64_t steps)
    : estimator_(estimator),
      problem_(problem),
      rule_(std::move(rule)),
      steps_(steps) {}

void OuterLoop::add(std::shared_ptr<Observer> observer) {
  observers_.push_back(std::move(observer));
}

void OuterLoop::add_metrics(
    std::function<Metrics(const ParameterSet& hyper)> metrics) {
  further_ = std::move(metrics);
}

void OuterLoop::begin(const ParameterSet& hyper, const Key& key) {
  rule_.begin(hyper);
  seconds_ = 0;
  estimator_.begin(rule_.hyper(), key);
}

OuterStep OuterLoop::begun(const ParameterSet& hyper) const {
  OuterStep record;
  record.steps = steps_;
  record.hyper = record.next = &hyper;
  record.weights = [this, &hyper,
                    known = std::make_shared<std::optional<ParameterSet>>()] {
    if (!*known) *known = estimator_.weights(hyper);
    return **known;
  };
  record.position = estimator_.position();
  record.evaluate = [this, &hyper, weights = record.weights,
                     known = std::optional<Metrics>()]() mutable {
    if (!known) {
      known = problem_.evaluate(weights(), hyper);
      if (further_) known->merge(further_(hyper));
    }
    return *known;
  };
  return record;
}

void OuterLoop::tell_start() {
  const ParameterSet natural = tuned(problem_, rule_.hyper());
  const Metrics none;
  OuterStep record = begun(rule_.hyper());
  record.objective = std::nan("");
  record.seconds = seconds_;
  record.natural = &natural;
  record.metrics = &none;
  for (const auto& observer : observers_) observer->on_start(record);
}

OuterResult OuterLoop::run() {
  const Stopwatch whole;
  const double before = seconds_;
  const auto ended = [&](Termination how, std::string message = "") {
    return OuterResult{rule_.hyper(), how, std::move(message), rule_.step()};
  };
  if (rule_.step() == 0) tell_start();

  while (rule_.step() < steps_) {
    const ParameterSet hyper = rule_.hyper();
    Measured measured = measured_estimate(estimator_, hyper);
    const Estimate& estimate = measured.estimate;
    ParameterSet next = hyper;
    if (estimate.status != Status::kDiverged) {
      next = rule_.begin_step(estimate.gradient);
    }
    const Number norm(estimate.gradient.flatten().norm());
    Number next_norm;
    if (!next.empty()) next_norm = Number(nestgrad::norm(next));
    const ParameterSet natural = Number::read_with(tuned(problem_, hyper));
    OuterStep record = begun(hyper);
    record.gradient_norm = norm;
    add_estimate(measured, record);
    record.step = rule_.step() + 1;
    record.last = record.step == steps_;
    record.natural = &natural;
    record.seconds = seconds_ = before + whole.seconds();
    if (const std::string trouble = trouble_of(estimate, norm);
        !trouble.empty()) {
      record.status = Status::kDiverged;
      record.trouble = &trouble;
      for (const auto& observer : observers_) observer->on_failure(record);
      return ended(Termination::kDiverged,
                   fmt::format("{} (outer step {})", trouble, record.step));
    }
    measured.estimate.gradient = {};  // as large as the hyperparameters
    if (!std::isfinite(next_norm) && !all_finite(next)) {
      return ended(Termination::kDiverged,
                   fmt::format("the hyperparameters after outer step {} are "
                               "not finite; a smaller learning rate in "
                               "\"outer\" keeps them",
                               record.step));
    }
    rule_.accept(std::move(next));
    record.next = &rule_.hyper();

    for (const auto& observer : observers_) {
      record.last |= observer->on_step(record) == Observer::Verdict::kStop;
    }
    if (record.last && rule_.step() < steps_) {
      return ended(Termination::kStopped);
    }
  }
  return ended(Termination::kFinished);
}

void OuterLoop::persist(Archive& archive) {
  archive("outer", rule_);
  archive("seconds", seconds_);
  archive("estimator", estimator_);
}

}  // namespace nestgrad
