#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/files.h"
#include "experiments/record/json_lines.h"

namespace nestgrad {

/// A sweep over ridge regressions of milliseconds.
inline Json small_sweep() {
  return {{"config",
           {{"precision", "float64"},
            {"problem", "ridge"},
            {"hyperparameters", {{"weight_decay", {{"initial", 0.01}}}}},
            {"inner", {{"type", "sgd"}, {"lr", 0.2}}},
            {"estimator", {{"type", "ift"}, {"window", 10}}},
            {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 6}}},
            {"record", {{"every", 2}, {"retrain", 20}}}}},
          {"vary", {{"outer.lr", {{"values", {0.01, 0.1}}}}}},
          {"seeds", 2},
          {"workers", 2}};
}

/// What has been written about runs that ended.
inline std::vector<Json> entries(const std::string& folder) {
  return parse_json_lines(read_file(folder + "/runs.jsonl"));
}

}  // namespace nestgrad
