#pragma once

#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"

namespace nestgrad {

/// A key of a configuration that a sweep varies, with its values: a list, or
/// the interval from `low` to `high`.
class Dimension {
 public:
  static Schema schema();

  /// `config`: the entry for `key` in "vary".
  Dimension(std::string key, const Config& config);

  /// The dotted key: "inner.lr".
  const std::string& key() const { return key_; }

  /// How many numbers in [0, 1) determine a value: one, or one per element of a
  /// list.
  std::int64_t coordinates() const { return count_ == 0 ? 1 : count_; }

  /// The value for these numbers. Uniform numbers give values uniform over the
  /// list or the interval (on a logarithmic scale, over its logarithms).
  Json value_at(const double* coordinates) const;

  /// The values for a grid: the list, or `points` values from low to high.
  /// Throws ConfigError if a value is a list of several elements.
  std::vector<Json> grid() const;

  // For export to other programs.
  const std::vector<Json>& values() const { return values_; }
  double low() const { return low_; }
  double high() const { return high_; }
  bool logarithmic() const { return logarithmic_; }
  bool whole() const { return whole_; }
  std::int64_t count() const { return count_; }

 private:
  Json between(double u) const;

  std::string key_, pointer_;
  std::vector<Json> values_;  // empty for an interval
  double low_ = 0, high_ = 0;
  bool logarithmic_ = false, whole_ = false;
  std::int64_t points_ = 0, count_ = 0;
};

}  // namespace nestgrad
