#include "experiments/plot/plane.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/plot/axis.h"
#include "experiments/plot/canvas.h"
#include "experiments/plot/palette.h"

namespace nestgrad {
namespace {

constexpr int kSide = 600;  // the width of the picture
constexpr double kLeft = 70, kTop = 56, kPlot = 490;
constexpr double kBelow = 52;   // from the plot to the first line of the legend
constexpr double kLegend = 18;  // a line of the legend
constexpr double kTickSpace = 8;
constexpr double kStartRadius = 5, kEndRadius = 4, kPointRadius = 1.6;
constexpr double kMarked = 0.06;  // the free share at each border
constexpr std::size_t kMostTicks = 8;

const Font kBigFont{15, palette::kInk, true};
const Font kSmallFont{10.5, palette::kPale};
const Font kLegendFont{11, palette::kInk};

void require_equal_lengths(const Curve& curve) {
  require(curve.x.size() == curve.y.size(),
          "curve '{}': expected equally many x and y, met {} and {}",
          curve.name, curve.x.size(), curve.y.size());
}

/// The axes around all points, a unit being as long on both.
std::pair<Axis, Axis> equal_axes(const Plane& plane) {
  std::vector<double> xs, ys;
  for (const auto* curves : {&plane.paths, &plane.clouds}) {
    for (const Curve& curve : *curves) {
      require_equal_lengths(curve);
      for (std::size_t i = 0; i < curve.x.size(); ++i) {
        if (!has_place(curve.x[i], false) || !has_place(curve.y[i], false)) {
          continue;
        }
        xs.push_back(curve.x[i]);
        ys.push_back(curve.y[i]);
      }
    }
  }
  if (xs.empty()) return {};
  Axis x = axis_around(xs, false), y = axis_around(ys, false);
  const double half =
      (0.5 + kMarked) * std::max(x.high - x.low, y.high - y.low);
  for (Axis* axis : {&x, &y}) {
    const double middle = (axis->low + axis->high) / 2;
    axis->low = middle - half;
    axis->high = middle + half;
  }
  return {x, y};
}

/// The axes of a map reach half a cell beyond its first and last values.
Axis axis_of_cells(const std::vector<double>& values) {
  const double span = values.back() - values.front();
  const double half = values.size() > 1
                          ? span / static_cast<double>(2 * (values.size() - 1))
                          : 0.5;
  return {values.front() - half, values.back() + half};
}

/// [3, rows, columns], the greatest y on top.
Tensor colors_of(const Plane& plane) {
  const Tensor map = plane.map.to(at::kDouble);
  require(map.dim() == 2 &&
              map.size(0) == static_cast<std::int64_t>(plane.map_y.size()) &&
              map.size(1) == static_cast<std::int64_t>(plane.map_x.size()),
          "the map and its axes differ in length");
  const Tensor finite = map.isfinite();
  const Tensor off = at::where(finite, map - plane.level, at::zeros_like(map));
  const Tensor below = (-off).clamp_min(0), above = off.clamp_min(0);
  // Each side has its own scale, so that both show what they have.
  const auto share = [](const Tensor& t) {
    const double most = t.max().item<double>();
    return most > 0 ? (t / most).pow(0.6) : t;
  };
  const Tensor blue = share(below), red = share(above);
  const Tensor rgb =
      at::stack({1 - 0.95 * blue - 0.15 * red, 1 - 0.55 * blue - 0.75 * red,
                 1 - 0.30 * blue - 0.95 * red});
  return at::where(finite, rgb, at::full_like(rgb, 0.6)).flip({1});
}

class PlanePainter {
 public:
  explicit PlanePainter(const Plane& plane)
      : plane_(plane), canvas_(kSide, height(plane)) {
    canvas_.text({kLeft, 30}, canvas_.fitted(plane.title, kBigFont, kPlot),
                 kBigFont);
    if (plane.map.defined()) {
      x_ = axis_of_cells(plane.map_x);
      y_ = axis_of_cells(plane.map_y);
      canvas_.image({kLeft, kTop}, kPlot, colors_of(plane));
    } else {
      std::tie(x_, y_) = equal_axes(plane);
    }
    draw_axes();
    for (std::size_t i = 0; i < plane.clouds.size(); ++i) draw_cloud(i);
    for (std::size_t i = plane.paths.size(); i-- > 0;) draw_path(i);
    draw_legend();
  }

  std::string png() const { return canvas_.png(); }

 private:
  static int height(const Plane& plane) {
    return static_cast<int>(kTop + kPlot + kBelow +
                            kLegend * static_cast<double>(lines(plane)));
  }

  static std::size_t lines(const Plane& plane) {
    return (plane.clouds.size() > 1 ? plane.clouds.size() : 0) +
           (named(plane) ? plane.paths.size() : 0) +
           (plane.map.defined() ? 1 : 0);
  }

  static bool named(const Plane& plane) {
    return plane.paths.size() > 1 && plane.paths.size() <= palette::kCount;
  }

  static Color color(const Curve& curve, std::size_t i) {
    return palette::kColors[curve.color.value_or(i) % palette::kCount];
  }

  Point place(double x, double y) const {
    if (!has_place(x, false) || !has_place(y, false)) {
      return {std::nan(""), std::nan("")};
    }
    return {kLeft + x_.fraction(x) * kPlot,
            kTop + (1 - y_.fraction(y)) * kPlot};
  }

  void draw_axes() {
    const double right = kLeft + kPlot, bottom = kTop + kPlot;
    const bool map = plane_.map.defined();
    for (const Tick& tick : ticks(x_, kMostTicks)) {
      const double x = place(tick.value, y_.low).x;
      if (!map) canvas_.line({{x, kTop}, {x, bottom}}, 1, palette::kGrid);
      canvas_.text({x, bottom + 2 * kTickSpace}, tick.label, kSmallFont, 0.5);
    }
    for (const Tick& tick : ticks(y_, kMostTicks)) {
      const double y = place(x_.low, tick.value).y;
      if (!map) canvas_.line({{kLeft, y}, {right, y}}, 1, palette::kGrid);
      canvas_.text({kLeft - kTickSpace, y + 3.8}, tick.label, kSmallFont, 1);
    }
    canvas_.line({{kLeft, bottom}, {right, bottom}}, 1, palette::kBaseLine);
    canvas_.line({{kLeft, kTop}, {kLeft, bottom}}, 1, palette::kBaseLine);
    canvas_.text({kLeft + kPlot / 2, bottom + 34},
                 canvas_.fitted(plane_.x_label, kLegendFont, kPlot),
                 kLegendFont, 0.5);
    canvas_.text({kLeft, kTop - 8},
                 canvas_.fitted(plane_.y_label, kLegendFont, kPlot),
                 kLegendFont);
  }

  void draw_cloud(std::size_t i) {
    const Curve& cloud = plane_.clouds[i];
    Color shade = color(cloud, i);
    shade.opacity = 0.5;
    for (std::size_t k = 0; k < cloud.x.size(); ++k) {
      const Point point = place(cloud.x[k], cloud.y[k]);
      if (std::isfinite(point.x)) canvas_.disc(point, kPointRadius, shade);
    }
  }

  void draw_path(std::size_t i) {
    const Curve& path = plane_.paths[i];
    require_equal_lengths(path);
    std::vector<Point> points;
    for (std::size_t k = 0; k < path.x.size(); ++k) {
      points.push_back(place(path.x[k], path.y[k]));
    }
    Color shade = color(path, i);
    if (!named(plane_) && plane_.paths.size() > 1) shade.opacity = 0.3;
    canvas_.line(points, 1.5, shade);
    if (points.empty()) return;
    if (std::isfinite(points.front().x)) {
      canvas_.disc(points.front(), kStartRadius, shade);
      canvas_.disc(points.front(), kStartRadius - 1.5, {1, 1, 1});
    }
    if (std::isfinite(points.back().x)) {
      canvas_.disc(points.back(), kEndRadius, shade);
    }
  }

  void draw_legend() {
    double y = kTop + kPlot + kBelow;
    const auto line = [&](const Color& shade, const std::string& name) {
      canvas_.disc({kLeft + 5, y}, kEndRadius, shade);
      canvas_.text({kLeft + 16, y + 4},
                   canvas_.fitted(name, kLegendFont, kPlot - 16), kLegendFont);
      y += kLegend;
    };
    if (plane_.clouds.size() > 1) {
      for (std::size_t i = 0; i < plane_.clouds.size(); ++i) {
        line(color(plane_.clouds[i], i), plane_.clouds[i].name);
      }
    }
    if (named(plane_)) {
      for (std::size_t i = 0; i < plane_.paths.size(); ++i) {
        line(color(plane_.paths[i], i), plane_.paths[i].name);
      }
    }
    if (!plane_.map.defined()) return;
    const Tensor known = plane_.map.masked_select(plane_.map.isfinite());
    const std::string range =
        known.numel() == 0
            ? "no finite values"
            : "from " + brief(known.min().item<double>(), 4) + " to " +
                  brief(known.max().item<double>(), 4) + "; blue below " +
                  brief(plane_.level) + ", red above";
    canvas_.text({kLeft, y + 4}, range, kLegendFont);
  }

  const Plane& plane_;
  Canvas canvas_;
  Axis x_, y_;
};

}  // namespace

void draw_plane(const std::string& path, const Plane& plane) {
  write_file(path, PlanePainter(plane).png());
}

}  // namespace nestgrad
