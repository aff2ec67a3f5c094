#pragma once

#include <cairo.h>

#include <memory>
#include <string>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

struct Color {
  double red, green, blue;  ///< 0 to 1
  double opacity = 1;
};

struct Point {
  double x, y;
};

struct Font {
  double size;
  Color color;
  bool bold = false;
};

/// A white sheet to draw on. Coordinates count from the upper left corner, y
/// downwards; one unit is kPixels pixels, so that pictures are crisp on fine
/// screens. The same calls give the same bytes.
class Canvas {
 public:
  static constexpr int kPixels = 2;

  Canvas(int width, int height);

  /// Lines between neighbouring points. A point with a coordinate that is not
  /// finite is a gap; a point between two gaps is a dot.
  void line(const std::vector<Point>& points, double width, const Color& color);

  void disc(const Point& center, double radius, const Color& color);

  /// An image [1 or 3 channels, height, width] with numbers from 0 to 1, in a
  /// square of `side` whose upper left corner is at `place`. Pixels have sharp
  /// edges.
  void image(const Point& place, double side, const Tensor& pixels);

  /// One line of text, with its base line at place.y. `alignment` is the share
  /// of its width that lies left of place.x: 0 to write onwards from there, 0.5
  /// to center, 1 to end there.
  void text(const Point& place, const std::string& words, const Font& font,
            double alignment = 0);

  double text_width(const std::string& words, const Font& font);

  /// The text (UTF-8), with "…" for so much of its middle that it is not wider
  /// than `width`.
  std::string fitted(const std::string& words, const Font& font, double width);

  /// The picture as a PNG file. Throws Error, with the reason, if something
  /// could not be drawn (text that is not UTF-8, a sheet too large).
  std::string png() const;

 private:
  struct Release {
    void operator()(cairo_surface_t* surface) const {
      cairo_surface_destroy(surface);
    }
    void operator()(cairo_t* context) const { cairo_destroy(context); }
  };

  void use(const Font& font);

  std::unique_ptr<cairo_surface_t, Release> surface_;
  std::unique_ptr<cairo_t, Release> context_;
};

}  // namespace nestgrad
