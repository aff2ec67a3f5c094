#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// The values from `low` to `high` along a line, evenly or by their logarithms.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  bool whole = false;  ///< shows counts: nothing to mark between two of them

  /// 0 at `low`, 1 at `high`.
  double fraction(double value) const;
};

/// Whether a value has a place on such an axis: finite, above 0 if the axis is
/// logarithmic, and of a magnitude that leaves room for arithmetic.
bool has_place(double value, bool logarithmic);

/// Whether values are better seen by their logarithms: all above 0 and over
/// more than a factor of ten. Those that are not numbers (NaN) do not count.
bool suits_logarithm(const std::vector<double>& values);

/// The axis from the least to the greatest of `values`, which must not be empty
/// and must all have a place. Values that are equal, or nearly (1e-6 of their
/// size), get a range around them.
Axis axis_around(const std::vector<double>& values, bool logarithmic);

/// Adds `share` of the length at both ends, but does not cross zero: what is
/// never negative does not look as if it were.
Axis widened(const Axis& axis, double share);

/// A value marked on an axis.
struct Tick {
  double value;
  std::string label;
};

/// Round values for people to read: multiples of 1, 2 or 5 times a power of
/// ten, at most `most` of them (REQUIRES most >= 2).
///
/// A logarithmic axis gets powers of ten; also their multiples by 2 and 5 where
/// fewer than three powers fit (these may be up to 8 whatever `most` is); and
/// ticks like a linear axis where fewer than three of those fit either.
std::vector<Tick> ticks(const Axis& axis, int most);

/// A number of `digits` significant digits in few characters: "0", "0.35",
/// "1e-4", "1234", "20k", "1.5M", "3e9", "nan", "-inf".
std::string brief(double value, int digits = 3);

}  // namespace nestgrad
