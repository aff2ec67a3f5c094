#pragma once

#include <string>

#include "core/config/json_file.h"
#include "core/platform/files.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

/// Tunes one decay of a small network, in many outer steps.
inline Json small(std::int64_t steps) {
  return {
      {"problem",
       {{"type", "classification"},
        {"data", {{"type", "gaussian_clusters"}, {"train", 40}, {"valid", 40}}},
        {"model", {{"type", "mlp"}, {"hidden", {8}}}}}},
      {"hyperparameters", {{"weight_decay", {{"initial", 1e-3}}}}},
      {"estimator", {{"type", "ift"}, {"window", 3}}},
      {"outer", {{"type", "adam"}, {"lr", 0.05}, {"steps", steps}}},
      {"record",
       {{"retrain", 10}, {"every", 5}, {"checkpoint", {{"steps", 4}}}}}};
}

/// Runs a configuration; the results are in the folder `out`.
inline void run_config(const TemporaryFolder& folder, const Json& config,
                       const std::string& out) {
  folder.write("a.json", config.dump());
  const Ended ended =
      program(folder.path(""), "run a.json --quiet --out " + out);
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
}

/// The object in a file.
inline Json json_of(const std::string& path) {
  return Json::parse(read_file(path));
}

}  // namespace nestgrad
