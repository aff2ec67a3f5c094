#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// Points in the order of drawing; x and y are of the same length.
struct Curve {
  std::string name;
  std::vector<double> x, y;
};

/// Curves over a common x axis.
struct Panel {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool logarithmic = false;  ///< the y axis
  std::vector<Curve> curves;
  bool logarithmic_x = false;

  /// The axes reach these as well, for panels that are to have the same ones.
  std::vector<double> reach_x = {}, reach_y = {};
};

/// Draws panels one under another as a PNG file, 1600 pixels wide.
///
/// Each curve ends with its name (if there are several) and its last value.
/// More than 8 curves of one panel are drawn as a translucent bundle without
/// names. Points that are not finite, or not above 0 on a logarithmic axis, are
/// gaps; a panel without any other point says "no data".
///
/// Throws Error if a curve's x and y differ in length, the panels are too many
/// for one picture (more than 60), a text is not UTF-8 or the file cannot be
/// written. The same arguments give the same bytes.
void draw_chart(const std::string& path, const std::string& title,
                const std::vector<Panel>& panels);

}  // namespace nestgrad
