#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/files.h"

namespace nestgrad {

/// Ridge regression with one decay per weight, tuned in milliseconds.
inline Json ridge_config() {
  return {{"precision", "float64"},
          {"problem", "ridge"},
          // Bounded, so that the learning rate stays below its limit.
          {"hyperparameters",
           {{"weight_decay", {{"per", "weight"}, {"coordinates", "logit"}}}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.4}}},
          {"estimator",
           {{"type", "ift"}, {"window", 20}, {"solver", "conjugate_gradient"}}},
          {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 20}}},
          {"record", {{"retrain", 50}}}};
}

/// The objects of a file of lines.
inline std::vector<Json> lines_of(const std::string& path) {
  std::vector<Json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

}  // namespace nestgrad
