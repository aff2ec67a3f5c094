#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/judge/compare_result.h"

namespace nestgrad {

struct CompareOptions {
  std::int64_t windows = 1;  ///< of training before the estimates are judged

  /// The target that all estimators are judged by; if left out, that of the
  /// configured estimator.
  std::optional<Target> target = {};

  std::int64_t repeats = 3;  ///< estimates that are timed, one after another

  /// Draws of every random method. With more than one, the mean of the draws
  /// and their scatter are judged.
  std::int64_t keys = 1;

  /// Told what comes next, since a comparison may take minutes.
  std::function<void(const std::string& what)> progress = {};
};

/// Asks several estimators for a hypergradient at the same weights: that of a
/// configuration and those of other files. Each file holds one section, as
/// under "estimator" of a configuration, or a list of sections. A section that
/// leaves out keys that cut training into windows has those of the
/// configuration. Errors are judged in double precision, against one reference.
/// Costs are measured in the precision of the configuration.
///
/// Throws ConfigError for mistakes in `config`, Error for those in `others`.
ComparisonResult compare_estimators(const JsonFile& config,
                                    const std::vector<JsonFile>& others,
                                    const CompareOptions& options);

}  // namespace nestgrad
