#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/config/registry.h"
#include "core/tensor/key.h"
#include "experiments/sweep/dimension.h"

namespace nestgrad {

/// Values for keys of a configuration, by dotted key.
using Assignment = std::vector<std::pair<std::string, Json>>;

/// "estimator.window=20 outer.lr=0.012": numbers with three digits, which tell
/// trials apart.
std::string describe(const Assignment& values);

/// Decides which values a sweep tries.
class Search {
 public:
  static constexpr const char* kKind = "searches";

  virtual ~Search() = default;

  /// The trials, in the order in which they are made. Random ones follow `key`.
  virtual std::vector<Assignment> trials(
      const std::vector<Dimension>& dimensions, const Key& key) const = 0;
};

using SearchRegistry = Registry<Search>;

/// How many numbers in [0, 1) a trial is chosen by.
std::int64_t coordinates(const std::vector<Dimension>& dimensions);

/// The trial that so many numbers choose.
Assignment assignment_at(const std::vector<Dimension>& dimensions,
                         const double* coordinates);

}  // namespace nestgrad
