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

/// A canvas. The origin is the upper left corner, y points down, and one unit
/// is kPixels pixels for high-resolution screens. The same calls give the same
/// bytes.
class Canvas {
 public:
  static constexpr int kPixels = 2;

  enum class Ground {
    kWhite,
    kClear  ///< shows the page behind it, which may be light or dark
  };

  Canvas(int width, int height, Ground ground = Ground::kWhite);

  /// Lines between consecutive points. A point with a non-finite coordinate is
  /// a gap; a point between two gaps is drawn as a dot.
  void line(const std::vector<Point>& points, double width, const Color& color);

  void disc(const Point& center, double radius, const Color& color);

  /// Draws an image [1 or 3 channels, height, width] with numbers from 0 to 1
  /// in a square of side `side` with upper left corner `place`. Pixels have
  /// sharp edges.
  void image(const Point& place, double side, const Tensor& pixels);

  /// One line of text with its baseline at place.y. `alignment` is the share of
  /// its width to the left of place.x: 0 starts there, 0.5 centres, 1 ends
  /// there.
  void text(const Point& place, const std::string& words, const Font& font,
            double alignment = 0);

  double text_width(const std::string& words, const Font& font);

  /// The text (UTF-8), shortened to `width` by "…" in its middle.
  std::string fitted(const std::string& words, const Font& font, double width);

  /// The picture as a PNG file. Throws Error with the reason if drawing failed
  /// (text that is not UTF-8, a canvas too large).
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
