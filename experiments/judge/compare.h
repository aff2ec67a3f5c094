#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

struct CompareOptions {
  std::int64_t windows = 1;  ///< of training before the estimates are judged

  /// What all are judged by; that of the configured estimator if left out.
  std::optional<Target> target = {};

  std::int64_t repeats = 3;  ///< estimates that are timed, one after another

  /// Draws of the randomness of methods that have some; with more than one, the
  /// mean of the draws is judged, and how far they scatter.
  std::int64_t keys = 1;

  /// Told what comes next, since all may take minutes.
  std::function<void(const std::string& what)> progress = {};
};

/// Asks several estimators for a hypergradient at the same weights: that of a
/// configuration and those of other files, each of which holds one section as
/// under "estimator" of a configuration or a list of them. Keys that say how
/// training is cut into windows are the configuration's where a section leaves
/// them out. Errors are judged in double precision, against one reference;
/// costs are measured in the precision of the configuration.
///
/// The result holds "reference" and a row for each of "estimators". Throws
/// ConfigError for mistakes in `config`, Error for those in `others`.
Json compare_estimators(const JsonFile& config,
                        const std::vector<JsonFile>& others,
                        const CompareOptions& options);

/// The same for people: a table.
std::string format_comparison(const Json& comparison);

/// Error against seconds and against memory, as a PNG file. Over several keys
/// bias and standard deviation against seconds.
void draw_comparison(const std::string& path, const Json& comparison);

}  // namespace nestgrad
