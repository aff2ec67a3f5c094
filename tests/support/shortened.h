#pragma once

#include "core/config/json_file.h"

namespace nestgrad {

/// What a problem trains before tuning is trained for a few steps.
inline void shorten_pretraining(Json& problem) {
  if (!problem.is_object()) return;
  if (problem.contains("pretraining")) problem["pretraining"]["steps"] = 5;
  if (problem.contains("reward") && problem["reward"].contains("steps")) {
    problem["reward"]["steps"] = 5;
  }
  if (problem.contains("chain")) {
    problem["chain"].update(
        Json{{"burn_in", 2}, {"thin", 1}, {"samples", 20}, {"batch", 10}});
    problem["networks"] = 5;
  }
  if (problem.contains("classifier_steps")) problem["classifier_steps"] = 5;
  if (problem.contains("follow")) problem["follow"] = problem["steps"] = 5;
}

/// The same configuration with little work: few steps, few examples.
inline Json shortened(Json config, std::int64_t outer_steps = 2) {
  Json& estimator = config["estimator"];
  if (estimator.is_string()) estimator = Json{{"type", estimator}};
  const std::int64_t window = estimator.value("window", 10);
  const std::int64_t horizon = estimator.value("horizon", 0);
  estimator["window"] = 2;
  estimator["horizon"] = 2 * (horizon / window);
  for (const char* steps : {"shortest", "last"}) {
    if (estimator.contains(steps)) estimator[steps] = 1;
  }
  config["outer"]["steps"] = outer_steps;
  config["record"]["retrain"] = 3;
  if (config["record"].contains("protocol")) config["record"]["networks"] = 1;
  Json& problem = config["problem"];
  if (problem.is_object() && problem.contains("data")) {
    if (problem["data"].is_string()) {
      problem["data"] = Json{{"type", problem["data"]}};
    }
    // Parts with files of their own are small.
    if (!problem["data"].contains("valid_file")) {
      problem["data"]["train"] = 100;
      problem["data"]["valid"] = 50;
      problem["data"]["test"] = 50;
    }
    if (problem.value("examples", 0) > 20) problem["examples"] = 20;
  }
  shorten_pretraining(problem);
  config["device"] = "cpu";
  return config;
}

}  // namespace nestgrad
