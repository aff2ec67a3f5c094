#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/config/registry.h"
#include "core/tensor/key.h"
#include "experiments/sweep/dimension.h"

namespace nestgrad {

/// Values by dotted key of a configuration.
using Assignment = std::vector<std::pair<std::string, Json>>;

/// "estimator.window=20 outer.lr=0.012": numbers with three digits, enough to
/// distinguish trials.
std::string describe(const Assignment& values);

/// A value with three digits, enough to distinguish trials.
std::string describe(const Json& value);

/// The last words of dotted keys, as many of each as make them different:
/// "window", "inner.lr", "outer.lr".
std::vector<std::string> short_names(const std::vector<std::string>& keys);

/// Decides which values a sweep tries.
class Search {
 public:
  static constexpr const char* kKind = "searches";

  virtual ~Search() = default;

  /// The trials in the order of their runs. Random ones are determined by
  /// `key`.
  virtual std::vector<Assignment> trials(
      const std::vector<Dimension>& dimensions, const Key& key) const = 0;
};

using SearchRegistry = Registry<Search>;

/// How many numbers in [0, 1) determine a trial.
std::int64_t coordinates(const std::vector<Dimension>& dimensions);

/// The trial for these numbers.
Assignment assignment_at(const std::vector<Dimension>& dimensions,
                         const double* coordinates);

}  // namespace nestgrad
