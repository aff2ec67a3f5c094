#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// The interval from `low` to `high` on a linear or logarithmic scale.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  bool whole = false;  ///< counts: no ticks between whole numbers

  /// 0 at `low`, 1 at `high`.
  double fraction(double value) const;
};

/// Whether a value can be shown on an axis: it is finite, above 0 if the axis
/// is logarithmic, and far enough from the limits of arithmetic.
bool has_place(double value, bool logarithmic);

/// Whether a logarithmic axis suits the values: all are above 0 and they span
/// more than a factor of ten. NaNs do not count.
bool suits_logarithm(const std::vector<double>& values);

/// The axis from the least to the greatest of `values`. REQUIRES that there are
/// values and that each has_place(). Values that are equal, or nearly (1e-6 of
/// their size), get an interval around them.
Axis axis_around(const std::vector<double>& values, bool logarithmic);

/// Extends both ends by `share` of the length, but not across zero, so that
/// data without negative values get no negative axis.
Axis widened(const Axis& axis, double share);

/// A value marked on an axis.
struct Tick {
  double value;
  std::string label;
};

/// Round values for labels: multiples of 1, 2 or 5 times a power of ten, at
/// most `most` (REQUIRES most >= 2).
///
/// A logarithmic axis gets powers of ten. Where fewer than three powers fit, it
/// also gets their multiples by 2 and 5 (up to 8 ticks whatever `most` is);
/// where fewer than three of these fit, it gets the ticks of a linear axis.
std::vector<Tick> ticks(const Axis& axis, int most);

/// A number with `digits` significant digits in few characters: "0", "0.35",
/// "1e-4", "1234", "20k", "1.5M", "3e9", "nan", "-inf".
std::string brief(double value, int digits = 3);

}  // namespace nestgrad
