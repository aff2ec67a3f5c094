#pragma once

#include <string>
#include <vector>

#include "core/tensor/parameter_set.h"
#include "experiments/plot/chart.h"

namespace nestgrad {

/// A square picture with two axes of numbers: paths and points, or a map of
/// colours.
struct Plane {
  std::string title, x_label, y_label;

  /// Lines between consecutive points, which begin with a ring and end with a
  /// disc. At most 8 are named.
  std::vector<Curve> paths = {};

  /// Points without lines.
  std::vector<Curve> clouds = {};

  /// If defined, [rows, columns]: the value at each of the points (x_i, y_j) of
  /// a grid, the first row at the least y. Values below `level` are blue, those
  /// above are red, white is the level itself, and values that are not finite
  /// are grey.
  Tensor map = {};
  std::vector<double> map_x = {}, map_y = {};  ///< ascending
  double level = 0;
};

/// Draws it as a PNG file, 1200 pixels wide, with a legend below. Without a map
/// a unit has the same length on both axes. Points that are not finite are left
/// out. Throws Error if x and y of a curve or the map and its axes differ in
/// length, or if the file cannot be written. The same plane gives the same
/// bytes.
void draw_plane(const std::string& path, const Plane& plane);

}  // namespace nestgrad
