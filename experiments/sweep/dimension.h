#pragma once

#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/config/schema.h"

namespace nestgrad {

/// One key of a configuration that a sweep varies, and the values it can take:
/// some that are listed, or all from `low` to `high`.
class Dimension {
 public:
  static Schema schema();

  /// `config`: what stands under `key` in "vary".
  Dimension(std::string key, const Config& config);

  /// The dotted key: "inner.lr".
  const std::string& key() const { return key_; }

  /// How many numbers in [0, 1) choose a value: one, or one for each element of
  /// a list.
  std::int64_t coordinates() const { return count_ == 0 ? 1 : count_; }

  /// The value that these choose, evenly distributed over the values (over
  /// their logarithms, if the scale is logarithmic).
  Json value_at(const double* coordinates) const;

  /// The values of a grid: those listed, or `points` from low to high. Throws
  /// ConfigError for a list of several elements.
  std::vector<Json> grid() const;

  // What other programs want to know.
  const std::vector<Json>& values() const { return values_; }
  double low() const { return low_; }
  double high() const { return high_; }
  bool logarithmic() const { return logarithmic_; }
  bool whole() const { return whole_; }
  std::int64_t count() const { return count_; }

 private:
  Json between(double u) const;

  std::string key_, pointer_;
  std::vector<Json> values_;  // empty: a range
  double low_ = 0, high_ = 0;
  bool logarithmic_ = false, whole_ = false;
  std::int64_t points_ = 0, count_ = 0;
};

}  // namespace nestgrad
