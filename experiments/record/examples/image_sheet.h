#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor/parameter_set.h"
#include "experiments/plot/canvas.h"

namespace nestgrad {

/// Whether these are images, [examples, 1 or 3, height, width].
bool are_images(const Tensor& inputs);

/// Scales pixels to 0 ... 1 so that one percent are black and one percent
/// white.
class Exposure {
 public:
  explicit Exposure(const Tensor& images);
  Tensor operator()(const Tensor& images) const;

 private:
  double black_, white_;
};

/// A grid of images with a label above each column and, perhaps, before each
/// row. All margins are equal, and the ground is transparent.
class ImageSheet {
 public:
  /// `row_labels`: the width of the labels of rows; 0: there are none.
  ImageSheet(std::int64_t columns, std::int64_t rows, double row_labels = 0);

  /// The width of the widest of these labels of rows, in this sheet's font.
  static double width_of(const std::vector<std::string>& labels);

  /// `image`: [channels, height, width], 0 to 1.
  void put(const Tensor& image, std::int64_t column, std::int64_t row);

  void label_column(std::int64_t column, const std::string& text);
  void label_row(std::int64_t row, const std::string& text);

  /// The label of the labels above columns.
  void label_corner(const std::string& text);

  std::string png() const { return canvas_.png(); }

 private:
  double left_;
  Canvas canvas_;
};

}  // namespace nestgrad
