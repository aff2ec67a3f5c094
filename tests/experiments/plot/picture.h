#pragma once

#include <cairo.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/platform/files.h"
#include "experiments/plot/chart.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

// Charts as they are drawn: pictures read back, and where their lines are.

namespace nestgrad {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::uint32_t kGrid = 0xE8E8E8;
// The colours of Okabe and Ito, in the order of curves.
inline const std::vector<std::uint32_t> kColors = {0x0072B2, 0xD55E00, 0x009E73,
                                                   0xCC79A7, 0xE69F00, 0x56B4E9,
                                                   0x000000, 0xF0E442};

/// A PNG file, read back. Colours are 0xRRGGBB.
class Picture {
 public:
  explicit Picture(const std::string& path)
      : surface_(cairo_image_surface_create_from_png(path.c_str()),
                 cairo_surface_destroy) {
    REQUIRE(cairo_surface_status(surface_.get()) == CAIRO_STATUS_SUCCESS);
  }

  int width() const { return cairo_image_surface_get_width(surface_.get()); }
  int height() const { return cairo_image_surface_get_height(surface_.get()); }

  std::uint32_t color(int x, int y) const {
    if (x < 0 || x >= width() || y < 0 || y >= height()) {
      throw std::out_of_range("a pixel outside of the picture");
    }
    const unsigned char* row =
        cairo_image_surface_get_data(surface_.get()) +
        y * cairo_image_surface_get_stride(surface_.get());
    return reinterpret_cast<const std::uint32_t*>(row)[x] & 0xFFFFFF;
  }

  int count(std::uint32_t wanted) const { return count(wanted, 0, height()); }

  /// In the rows from `top` to `bottom`.
  int count(std::uint32_t wanted, int top, int bottom) const {
    int found = 0;
    for (int y = top; y < bottom; ++y) {
      for (int x = 0; x < width(); ++x) found += color(x, y) == wanted;
    }
    return found;
  }

  /// 0: transparent, 255: covered.
  int opacity(int x, int y) const {
    const unsigned char* row =
        cairo_image_surface_get_data(surface_.get()) +
        y * cairo_image_surface_get_stride(surface_.get());
    if (cairo_image_surface_get_format(surface_.get()) != CAIRO_FORMAT_ARGB32) {
      return 255;
    }
    return static_cast<int>(reinterpret_cast<const std::uint32_t*>(row)[x] >>
                            24);
  }

 private:
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
};

/// The second of each pair of neighbouring positions, from the `begin`th to the
/// `end`th, that `is_line` accepts: the centers of lines two pixels wide.
inline std::vector<int> line_centers(int begin, int end,
                                     const std::function<bool(int)>& is_line) {
  std::vector<int> centers;
  for (int i = begin + 1; i < end; ++i) {
    if (!is_line(i - 1) || !is_line(i)) continue;
    centers.push_back(i);
    ++i;
  }
  return centers;
}

/// Heights of the first panel of a titled chart, as pixels.
constexpr int kPlotTop = 160;
constexpr int kPlotBottom = 504;

/// Where the lines of the grid are, found by looking for them.
struct Grid {
  explicit Grid(const Picture& picture) {
    columns = line_centers(0, picture.width(), [&](int x) {
      return picture.color(x, kPlotTop + 2) == kGrid;
    });
    REQUIRE(columns.size() >= 2);
    const int between = columns[0] + 16;
    rows = line_centers(kPlotTop, kPlotBottom, [&](int y) {
      return picture.color(between, y) == kGrid;
    });
  }

  std::vector<int> columns, rows;
};

inline bool is_near(std::uint32_t color, std::uint32_t wanted) {
  for (const int shift : {0, 8, 16}) {
    const int a = static_cast<int>(color >> shift & 255);
    const int b = static_cast<int>(wanted >> shift & 255);
    if (std::abs(a - b) > 2) return false;
  }
  return true;
}

/// y = value(x) at x = 0, 1, ..., 200.
inline Curve curve_of(const std::string& name,
                      const std::function<double(double)>& value) {
  Curve curve{name, {}, {}};
  for (int i = 0; i <= 200; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(value(i));
  }
  return curve;
}

inline Panel panel_of(const std::vector<Curve>& curves,
                      bool logarithmic = false) {
  return {"loss", "step", "nats", logarithmic, curves};
}

inline std::string png_of(const std::vector<Panel>& panels) {
  const TemporaryFolder folder;
  draw_chart(folder.path("chart.png"), "title", panels);
  return read_file(folder.path("chart.png"));
}

inline Picture picture_of(const std::vector<Panel>& panels) {
  const TemporaryFolder folder;
  draw_chart(folder.path("chart.png"), "title", panels);
  return Picture(folder.path("chart.png"));
}

}  // namespace nestgrad
