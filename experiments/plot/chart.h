#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace nestgrad {

/// Points in drawing order. x and y have equal length.
struct Curve {
  std::string name;
  std::vector<double> x, y;

  /// The place of its colour among those of 8 curves; if left out, its place
  /// in the panel. For a curve that is not in every panel of a chart.
  std::optional<std::size_t> color = {};
};

/// Curves over a common x axis.
struct Panel {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool logarithmic = false;  ///< the y axis
  std::vector<Curve> curves;
  bool logarithmic_x = false;

  /// Values that the axes must include, for panels that share their axes.
  std::vector<double> reach_x = {}, reach_y = {};
};

/// Draws panels below each other into a PNG file, 1600 pixels wide.
///
/// Each curve ends with its name (if there are several) and its last value.
/// More than 8 curves in a panel are drawn translucent and without names.
/// Points that are not finite, or not above 0 on a logarithmic axis, are gaps;
/// a panel with no other points says "no data".
///
/// Throws Error if a curve's x and y differ in length, there are more than 60
/// panels, a text is not UTF-8 or the file cannot be written. The same
/// arguments give the same bytes.
void draw_chart(const std::string& path, const std::string& title,
                const std::vector<Panel>& panels);

}  // namespace nestgrad
