#include "experiments/judge/plan_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/config/alternatives.h"
#include "core/platform/memory_meter.h"
#include "experiments/record/console.h"

namespace nestgrad {
namespace {

Json json_of(const PlanResult::Shapes& shapes) {
  Json out = Json::object();
  for (const auto& [name, sizes] : shapes) out[name] = sizes;
  return out;
}

Json json_of(const SecondDerivative& second) {
  Json out = {{"exists", second.exists}};
  if (!second.missing_operator.empty()) {
    out["operator"] = second.missing_operator;
  }
  return out;
}

std::string plan_line(const std::string& name, const std::string& value) {
  return fmt::format("{:18}{}\n", name, value);
}

std::string text_of(const char* title, const PlanResult::Shapes& shapes,
                    std::int64_t count) {
  std::string out;
  for (const auto& [name, sizes] : shapes) {
    out += plan_line(out.empty() ? title : "",
                     fmt::format("{} [{}]", name, fmt::join(sizes, ", ")));
  }
  return out + plan_line("", fmt::format("{} numbers", count));
}

std::string training(const PlanResult& plan) {
  const std::int64_t turns = plan.outer_steps_per_window;
  const std::int64_t warm_up = plan.window * plan.warm_up;
  return plan_line(
      "training",
      fmt::format(
          "{} outer steps, {} after a window of {} training steps{}; {}",
          plan.outer_steps,
          turns == 1 ? "each" : fmt::format("{} at a time", turns), plan.window,
          warm_up == 0 ? "" : fmt::format(", the first after {} more", warm_up),
          plan.horizon == 0 ? "warm start"
          : plan.horizon == plan.window
              ? "cold start"
              : fmt::format("runs of {}", plan.horizon)));
}

std::string text_of(const SecondDerivative& second) {
  if (second.exists) {
    return plan_line("second derivative", "of the training loss exists");
  }
  if (second.missing_operator.empty()) {
    return plan_line("second derivative",
                     "there is none: training takes no derivatives");
  }
  std::string out =
      plan_line("second derivative",
                fmt::format("is MISSING: {} cannot be differentiated twice",
                            second.missing_operator));
  std::vector<std::string> advice;
  if (!second.estimators_without.empty()) {
    advice.push_back("take the estimator " +
                     in_words(second.estimators_without));
  }
  for (const auto& [name, setting] : second.settings_without) {
    advice.push_back(
        fmt::format("give the estimator {} {}", name, setting.dump()));
  }
  for (std::size_t i = 0; i < advice.size(); ++i) {
    out += plan_line("", (i == 0 ? "" : "or ") + advice[i]);
  }
  return out;
}

std::string text_of(const PlanCost& cost) {
  return plan_line(
             "memory of tensors",
             fmt::format("{:.1f} MiB at the peak, {:.1f} MiB of them loaded "
                         "data",
                         mebibytes(cost.peak), mebibytes(cost.loaded))) +
         plan_line(
             "time",
             fmt::format(
                 "{}: tuning {} ({:.3g} s per estimate), final runs {}{}",
                 duration(cost.tuning + cost.retraining), duration(cost.tuning),
                 cost.estimate, duration(cost.retraining),
                 cost.networks > 1
                     ? fmt::format(" ({} networks each)", cost.networks)
                     : "")) +
         (cost.ended_by.empty() ? "" : plan_line("", cost.end()));
}

}  // namespace

std::string PlanCost::end() const {
  if (ended_by.empty()) return "";
  return fmt::format("outer.stop.{} ends tuning after about {} outer steps",
                     ended_by, outer_steps);
}

std::string PlanCost::text() const {
  return fmt::format("up to {:.0f} MiB of tensors, about {}{}{}",
                     mebibytes(peak), duration(tuning + retraining),
                     retraining > 0 ? fmt::format(", {} of them for final runs",
                                                  duration(retraining))
                                    : "",
                     ended_by.empty() ? "" : "; " + end());
}

Json PlanResult::to_json() const {
  Json out = {{"weights", json_of(weights)},
              {"weight_count", weight_count},
              {"hyperparameters", json_of(hyperparameters)},
              {"hyperparameter_count", hyperparameter_count},
              {"outer_steps", outer_steps},
              {"window", window},
              {"horizon", horizon},
              {"outer_steps_per_window", outer_steps_per_window},
              {"warm_up", warm_up},
              {"retraining_steps", retraining_steps}};
  if (second_derivative) {
    out["second_derivative"] = json_of(*second_derivative);
  }
  if (cost) {
    out["tensor_mib"] = {{"loaded", mebibytes(cost->loaded)},
                         {"peak", mebibytes(cost->peak)}};
    out["seconds"] = {{"training_step", cost->training_step},
                      {"estimate", cost->estimate},
                      {"evaluation", cost->evaluation},
                      {"tuning", cost->tuning},
                      {"retraining", cost->retraining}};
    out["networks"] = cost->networks;
    out["outer_steps_within_budgets"] = cost->outer_steps;
    if (!cost->ended_by.empty()) out["ended_by"] = cost->ended_by;
  }
  if (!trouble.empty()) out["trouble"] = trouble;
  if (scaling) out["scaling"] = scaling->to_json();
  return out;
}

std::string PlanResult::text() const {
  const std::string out =
      text_of("weights", weights, weight_count) +
      text_of("hyperparameters", hyperparameters, hyperparameter_count) +
      training(*this) + (second_derivative ? text_of(*second_derivative) : "");
  if (cost) return out + text_of(*cost) + (scaling ? scaling->text() : "");
  return out +
         plan_line("memory and time",
                   "are not known, since the estimator as configured "
                   "does not run:") +
         plan_line("", trouble);
}

}  // namespace nestgrad
