#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <limits>
#include <vector>

#include "core/config/config.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Throws ConfigError at `key`, whose value is a distance by which numbers of
/// this size are moved, unless it is ten times their rounding in the type of
/// `moved`. `what` names the numbers: "weights".
inline void require_resolved(const Config& config, const char* key, double size,
                             const ParameterSet& moved, const char* what) {
  if (moved.empty()) return;
  const bool exact = moved.tensors().front().scalar_type() == at::kDouble;
  const double rounding = (exact ? std::numeric_limits<double>::epsilon()
                                 : std::numeric_limits<float>::epsilon()) *
                          size;
  const double given = config.number(key);
  if (given >= 10 * rounding) return;
  config.fail(key, fmt::format("{} is lost in the rounding of {} of size "
                               "{:.3g}; take {:.1g} or more{}",
                               given, what, size, 20 * rounding,
                               exact ? "" : ", or \"precision\": \"float64\""));
}

/// The largest absolute value in a set; 0 for an empty one, NaN if there is
/// one.
inline double largest_of(const ParameterSet& set) {
  std::vector<Tensor> largest;
  for (const Tensor& t : set.tensors()) {
    if (t.numel() > 0) largest.push_back(t.abs().max());
  }
  return largest.empty() ? 0 : at::stack(largest).max().item<double>();
}

}  // namespace nestgrad
