#include "experiments/plot/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/plot/axis.h"
#include "experiments/plot/canvas.h"
#include "experiments/plot/palette.h"

namespace nestgrad {
namespace {

constexpr int kWidth = 800;
constexpr double kMargin = 24;
constexpr int kTitleHeight = 50;
constexpr int kNoTitleHeight = 16;
constexpr int kPanelHeight = 256;
constexpr double kHeading = 30;  // from the top of a panel to its plot
constexpr double kPlotHeight = 172;
constexpr double kTickGap = 8;
constexpr double kEndGap = 12;  // from the plot to the labels of curves
constexpr double kHandle = 14;  // the line segment before a label
constexpr double kHandleGap = 5;
constexpr double kNameWidth = 220;
constexpr double kLineSpacing = 15;
constexpr double kMarker = 3;

constexpr std::size_t kMostPanels = 60;
constexpr std::size_t kNamedCurves = palette::kCount;
constexpr std::size_t kMarkedPoints = 30;  // fewer than these have markers
constexpr std::size_t kDensePoints = 300;

using palette::kBaseLine;
using palette::kGrid;
using palette::kInk;
using palette::kPale;

constexpr Font kTitleFont{17, kInk, true};
constexpr Font kHeadingFont{12.5, kInk, true};
constexpr Font kNoteFont{11, kPale};
constexpr Font kTickFont{10.5, kPale};
constexpr Font kNameFont{11, kInk};
constexpr Font kValueFont{11, kInk, true};

constexpr Color kBundle{0, 114 / 255.0, 178 / 255.0, 0.3};

/// A panel with its axes and the position of its plot.
struct View {
  const Panel* panel;
  bool empty = true;
  Axis x, y;
  std::vector<Tick> x_ticks, y_ticks;
  double left = 0, right = 0, top = 0, bottom = 0;

  bool named() const { return panel->curves.size() > 1; }
  bool bundled() const { return panel->curves.size() > kNamedCurves; }
  double center() const { return (left + right) / 2; }

  const Color& color(std::size_t curve) const {
    return palette::kColors[panel->curves[curve].color.value_or(curve) %
                            kNamedCurves];
  }

  Point place(double x_value, double y_value) const {
    return {left + x.fraction(x_value) * (right - left),
            bottom - y.fraction(y_value) * (bottom - top)};
  }

  /// Positions of a curve's points; not finite at gaps.
  std::vector<Point> places(const Curve& curve) const {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    std::vector<Point> result;
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      const bool drawn = has_place(curve.x[i], x.logarithmic) &&
                         has_place(curve.y[i], y.logarithmic);
      result.push_back(drawn ? place(curve.x[i], curve.y[i])
                             : Point{kNone, kNone});
    }
    return result;
  }
};

View view_of(const Panel& panel) {
  std::vector<double> xs, ys;
  for (const Curve& curve : panel.curves) {
    require(curve.x.size() == curve.y.size(),
            "curve '{}' of panel '{}': expected equally many x and y, met {} "
            "and {}",
            curve.name, panel.title, curve.x.size(), curve.y.size());
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!has_place(curve.x[i], panel.logarithmic_x)) continue;
      if (!has_place(curve.y[i], panel.logarithmic)) continue;
      xs.push_back(curve.x[i]);
      ys.push_back(curve.y[i]);
    }
  }
  const auto reach = [](std::vector<double>& to,
                        const std::vector<double>& from, bool logarithmic) {
    if (to.empty()) return;
    for (const double value : from) {
      if (has_place(value, logarithmic)) to.push_back(value);
    }
  };
  reach(xs, panel.reach_x, panel.logarithmic_x);
  reach(ys, panel.reach_y, panel.logarithmic);
  View view;
  view.panel = &panel;
  view.empty = xs.empty();
  if (view.empty) return view;
  view.x = axis_around(xs, panel.logarithmic_x);
  if (panel.logarithmic_x) view.x = widened(view.x, 0.03);
  view.y = widened(axis_around(ys, panel.logarithmic), 0.06);
  view.x_ticks = ticks(view.x, 9);
  view.y_ticks = ticks(view.y, 6);
  return view;
}

/// Centres of labels of height `spacing` that do not overlap, in the order of
/// `wanted` (ascending), within [top, bottom] if they fit. Minimises the sum of
/// squared distances to `wanted`, by isotonic regression: colliding labels move
/// as one block around their mean.
std::vector<double> spread(const std::vector<double>& wanted, double spacing,
                           double top, double bottom) {
  struct Block {
    double sum;
    int count;
    double mean() const { return sum / count; }
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Block block{wanted[i] - static_cast<double>(i) * spacing, 1};
    while (!blocks.empty() && blocks.back().mean() >= block.mean()) {
      block.sum += blocks.back().sum;
      block.count += blocks.back().count;
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  const double room =
      bottom - (static_cast<double>(wanted.size()) - 1) * spacing;
  std::vector<double> centers;
  for (const Block& block : blocks) {
    const double first = std::max(top, std::min(room, block.mean()));
    for (int i = 0; i < block.count; ++i) {
      centers.push_back(first + static_cast<double>(centers.size()) * spacing);
    }
  }
  return centers;
}

/// The nearest border between two pixels. Lines there that are an even number
/// of pixels wide have sharp edges.
double sharp(double position) {
  return std::round(position * Canvas::kPixels) / Canvas::kPixels;
}

bool drawn(const Point& point) { return std::isfinite(point.y); }

std::string value_of(const Curve& curve) {
  return curve.y.empty() ? "no data" : brief(curve.y.back());
}

/// The heading's text after the title.
std::string note_of(const View& view) {
  std::string note = view.panel->y_label;
  const auto add = [&](const std::string& text) {
    note += (note.empty() ? "" : ", ") + text;
  };
  const bool both = view.panel->logarithmic && view.panel->logarithmic_x;
  if (view.panel->logarithmic) add(both ? "log scales" : "log scale");
  if (view.bundled()) add(fmt::format("{} curves", view.panel->curves.size()));
  return note;
}

class Painter {
 public:
  Painter(const std::string& title, const std::vector<Panel>& panels)
      : canvas_(kWidth, height_of(title, panels)) {
    canvas_.text({kMargin, 34},
                 canvas_.fitted(title, kTitleFont, kWidth - 2 * kMargin),
                 kTitleFont);
    std::vector<View> views;
    for (const Panel& panel : panels) views.push_back(view_of(panel));
    double ticks_width = 0;
    double ends_width = 0;
    for (const View& view : views) {
      ticks_width = std::max(ticks_width, tick_width(view));
      ends_width = std::max(ends_width, end_width(view));
    }
    double top = title_height(title) + kHeading;
    for (View& view : views) {
      view.left = kMargin + ticks_width + kTickGap;
      view.right = kWidth - kMargin - ends_width;
      view.top = top;
      view.bottom = top + kPlotHeight;
      draw(view);
      top += kPanelHeight;
    }
  }

  std::string png() const { return canvas_.png(); }

 private:
  static int title_height(const std::string& title) {
    return title.empty() ? kNoTitleHeight : kTitleHeight;
  }

  static int height_of(const std::string& title,
                       const std::vector<Panel>& panels) {
    require(panels.size() <= kMostPanels, "expected at most {} panels, met {}",
            kMostPanels, panels.size());
    return title_height(title) + kPanelHeight * static_cast<int>(panels.size());
  }

  std::string name_of(const View& view, const Curve& curve) {
    if (!view.named() || curve.name.empty()) return "";
    return canvas_.fitted(curve.name, kNameFont, kNameWidth) + "  ";
  }

  double tick_width(const View& view) {
    double width = 0;
    for (const Tick& tick : view.y_ticks) {
      width = std::max(width, canvas_.text_width(tick.label, kTickFont));
    }
    return width;
  }

  double end_width(const View& view) {
    if (view.empty || view.bundled()) return 0;
    double width = 0;
    for (const Curve& curve : view.panel->curves) {
      width =
          std::max(width, canvas_.text_width(name_of(view, curve), kNameFont) +
                              canvas_.text_width(value_of(curve), kValueFont));
    }
    return width + kEndGap + (view.named() ? kHandle + kHandleGap : 0);
  }

  void draw(const View& view) {
    draw_heading(view);
    if (!view.empty) draw_grid(view);
    canvas_.line({{view.left, view.bottom}, {view.right, view.bottom}}, 1,
                 kBaseLine);
    canvas_.text(
        {view.center(), view.bottom + 33},
        canvas_.fitted(view.panel->x_label, kNoteFont, view.right - view.left),
        kNoteFont, 0.5);
    if (view.empty) {
      canvas_.text({view.center(), (view.top + view.bottom) / 2}, "no data",
                   kNoteFont, 0.5);
    } else if (view.bundled()) {
      draw_bundle(view);
    } else {
      draw_curves(view);
      draw_ends(view);
    }
  }

  void draw_heading(const View& view) {
    const double base = view.top - 14;
    const double room = kWidth - 2 * kMargin;
    const std::string title =
        canvas_.fitted(view.panel->title, kHeadingFont, room * 0.6);
    canvas_.text({kMargin, base}, title, kHeadingFont);
    const double used =
        title.empty() ? 0 : canvas_.text_width(title, kHeadingFont) + 10;
    canvas_.text({kMargin + used, base},
                 canvas_.fitted(note_of(view), kNoteFont, room - used),
                 kNoteFont);
  }

  void draw_grid(const View& view) {
    for (const Tick& tick : view.y_ticks) {
      const double y = view.place(view.x.low, tick.value).y;
      canvas_.line({{view.left, sharp(y)}, {view.right, sharp(y)}}, 1, kGrid);
      canvas_.text({view.left - kTickGap, y + 3.8}, tick.label, kTickFont, 1);
    }
    for (const Tick& tick : view.x_ticks) {
      const double x = view.place(tick.value, view.y.low).x;
      canvas_.line({{sharp(x), view.top}, {sharp(x), view.bottom}}, 1, kGrid);
      canvas_.text({x, view.bottom + 16}, tick.label, kTickFont, 0.5);
    }
  }

  void draw_curves(const View& view) {
    // In reverse order, so that the first curve is on top.
    for (std::size_t i = view.panel->curves.size(); i-- > 0;) {
      const auto points = view.places(view.panel->curves[i]);
      const Color& color = view.color(i);
      canvas_.line(points, points.size() > kDensePoints ? 1.25 : 2, color);
      if (points.size() >= kMarkedPoints) continue;
      for (const Point& point : points) {
        if (drawn(point)) canvas_.disc(point, kMarker, color);
      }
    }
  }

  void draw_bundle(const View& view) {
    for (const Curve& curve : view.panel->curves) {
      canvas_.line(view.places(curve), 1, kBundle);
    }
  }

  /// Names and last values, to the right of the plot.
  void draw_ends(const View& view) {
    struct End {
      std::size_t curve;
      Point last;
    };
    std::vector<End> ends;
    for (std::size_t i = 0; i < view.panel->curves.size(); ++i) {
      // The label of an invisible curve is at the bottom.
      ends.push_back({i, {view.right, view.bottom}});
      for (const Point& point : view.places(view.panel->curves[i])) {
        if (drawn(point)) ends.back().last = point;
      }
    }
    std::stable_sort(ends.begin(), ends.end(), [](const End& a, const End& b) {
      return a.last.y < b.last.y;
    });
    std::vector<double> wanted;
    for (const End& end : ends) wanted.push_back(end.last.y);
    const auto centers = spread(wanted, kLineSpacing, view.top, view.bottom);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      draw_end(view, ends[i].curve, ends[i].last, centers[i]);
    }
  }

  void draw_end(const View& view, std::size_t index, const Point& last,
                double center) {
    const Curve& curve = view.panel->curves[index];
    const Color& color = view.color(index);
    double x = view.right + kEndGap;
    std::vector<Point> leader = {last, {view.right, last.y}};
    if (view.named()) {
      canvas_.line({{x, center}, {x + kHandle, center}}, 2, color);
      leader.push_back({x, center});
      x += kHandle + kHandleGap;
    }
    const auto points = view.places(curve);
    if (std::any_of(points.begin(), points.end(), drawn)) {
      canvas_.line(leader, 0.75, {color.red, color.green, color.blue, 0.5});
      canvas_.disc(last, kMarker, color);
    }
    const std::string name = name_of(view, curve);
    canvas_.text({x, center + 4}, name, kNameFont);
    canvas_.text({x + canvas_.text_width(name, kNameFont), center + 4},
                 value_of(curve), kValueFont);
  }

  Canvas canvas_;
};

}  // namespace

void draw_chart(const std::string& path, const std::string& title,
                const std::vector<Panel>& panels) {
  write_file(path, Painter(title, panels).png());
}

}  // namespace nestgrad
