#include "experiments/plot/chart.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "tests/experiments/plot/picture.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

TEST_CASE("a chart is as high as its panels", "[chart]") {
  const Panel panel = panel_of({curve_of("a", [](double x) { return x; })});
  for (const int panels : {0, 1, 3}) {
    const Picture picture =
        picture_of(std::vector<Panel>(static_cast<std::size_t>(panels), panel));
    CHECK(picture.width() == 1600);
    CHECK(picture.height() == 100 + 512 * panels);
    CHECK(picture.color(0, 0) == 0xFFFFFF);
  }
}

TEST_CASE("a line runs where the grid says", "[chart]") {
  // y = x / 200 has grid lines at x = 0, 50, 100, 150, 200 and at
  // y = 0.2, ..., 1 (that at 0 lies under the base line).
  const Picture picture =
      picture_of({panel_of({curve_of("a", [](double x) { return x / 200; })})});
  const Grid grid(picture);
  REQUIRE(grid.columns.size() == 5);
  REQUIRE(grid.rows.size() == 5);
  const double unit = (grid.rows[4] - grid.rows[0]) / 0.8;
  CHECK(grid.rows[4] + 0.2 * unit == Approx(kPlotBottom).margin(1));
  for (int x = 10; x <= 190; ++x) {
    const int column = static_cast<int>(std::lround(
        grid.columns[0] + (grid.columns[4] - grid.columns[0]) * x / 200.0));
    const int row =
        static_cast<int>(std::lround(grid.rows[0] + (1 - x / 200.0) * unit));
    CAPTURE(x, column, row);
    CHECK(is_near(picture.color(column, row), kColors[0]));
    CHECK_FALSE(is_near(picture.color(column, row - 8), kColors[0]));
    CHECK_FALSE(is_near(picture.color(column, row + 8), kColors[0]));
  }
}

TEST_CASE("exponential growth is a line on a logarithmic axis", "[chart]") {
  // Passes through the crossings of x = 0, 50, ..., 200 and 1e-4, ..., 1.
  const Curve curve =
      curve_of("a", [](double x) { return std::pow(10, x / 50 - 4); });
  const Picture picture = picture_of({panel_of({curve}, true)});
  const Grid grid(picture);
  REQUIRE(grid.columns.size() == 5);
  REQUIRE(grid.rows.size() == 5);
  for (std::size_t i = 1; i < 5; ++i) {
    const int column = (grid.columns[i - 1] + grid.columns[i]) / 2;
    const int row = (grid.rows[5 - i] + grid.rows[4 - i]) / 2;
    CHECK(
        is_near(picture.color(grid.columns[i], grid.rows[4 - i]), kColors[0]));
    CHECK(is_near(picture.color(column, row), kColors[0]));
    CHECK_FALSE(is_near(picture.color(column, row - 8), kColors[0]));
  }
}

TEST_CASE("a power is a line between two logarithmic axes", "[chart]") {
  // Passes through the crossings of x = 1, 10, 100, 1000 and y = x^2.
  Curve curve{"a", {}, {}};
  for (double x = 1; x < 1001; x *= std::pow(10, 0.1)) {
    curve.x.push_back(x);
    curve.y.push_back(x * x);
  }
  Panel panel = panel_of({curve}, true);
  panel.logarithmic_x = true;
  const Picture picture = picture_of({panel});
  const Grid grid(picture);
  REQUIRE(grid.columns.size() == 4);
  REQUIRE(grid.rows.size() >= 4);
  const auto last = grid.rows.size() - 1;
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(grid.columns[i] - grid.columns[i - 1] ==
          Approx(grid.columns[1] - grid.columns[0]).margin(2));
    const int column = (grid.columns[i - 1] + grid.columns[i]) / 2;
    const int row = grid.rows[last] + (grid.rows[0] - grid.rows[last]) *
                                          static_cast<int>(2 * i - 1) / 6;
    CHECK(is_near(picture.color(column, row), kColors[0]));
    CHECK_FALSE(is_near(picture.color(column, row - 16), kColors[0]));
  }
}

TEST_CASE("panels that reach the same values have the same axes", "[chart]") {
  const Curve low{"a", {1, 2}, {1, 3}}, high{"b", {40, 80}, {10, 70}};
  Panel a = panel_of({low}), b = panel_of({high}), both = panel_of({low, high});
  for (Panel* panel : {&a, &b}) {
    panel->reach_x = {1, 2, 40, 80, kNan};
    panel->reach_y = {1, 3, 10, 70, kInfinity};
  }
  const Grid first(picture_of({a})), second(picture_of({b})),
      whole(picture_of({both}));
  CHECK(first.columns.size() == whole.columns.size());
  CHECK(first.rows == whole.rows);
  CHECK(second.rows == whole.rows);
  CHECK(first.columns.size() == second.columns.size());
}

TEST_CASE("the same chart gives the same bytes", "[chart]") {
  const auto panel = [](double scale) {
    return panel_of({curve_of("a", [=](double x) { return scale * x; }),
                     curve_of("b", [](double x) { return std::sin(x); })});
  };
  CHECK((png_of({panel(1)}) == png_of({panel(1)})));
  CHECK((png_of({panel(1)}) != png_of({panel(1.5)})));
}

TEST_CASE("what is not finite is a gap", "[chart]") {
  const auto with = [](double gap) {
    return panel_of({curve_of("a", [=](double x) {
      return std::abs(x - 125) < 10 ? gap : x / 200;
    })});
  };
  const std::string png = png_of({with(kNan)});
  CHECK((png == png_of({with(kInfinity)})));
  CHECK((png == png_of({with(-kInfinity)})));
  CHECK((png == png_of({with(1e300)})));

  const Picture picture = picture_of({with(kNan)});
  const Grid grid(picture);
  const auto colored = [&](int column) {
    int found = 0;
    for (int y = kPlotTop; y < kPlotBottom; ++y) {
      found += is_near(picture.color(column, y), kColors[0]);
    }
    return found;
  };
  CHECK(colored((grid.columns[1] + grid.columns[2]) / 2) > 0);
  CHECK(colored((grid.columns[2] + grid.columns[3]) / 2) == 0);
  CHECK(colored((grid.columns[3] + grid.columns[4]) / 2) > 0);
}

TEST_CASE("what is not positive is a gap of a logarithmic axis", "[chart]") {
  const auto with = [](double gap, bool logarithmic) {
    return png_of({panel_of(
        {curve_of("a", [=](double x) { return x == 125 ? gap : 1 + x; })},
        logarithmic)});
  };
  CHECK((with(kNan, true) == with(0, true)));
  CHECK((with(kNan, true) == with(-3, true)));
  CHECK((with(kNan, false) != with(-3, false)));
}

TEST_CASE("a panel without points has no grid", "[chart]") {
  const std::string nothing = png_of({panel_of({})});
  CHECK((nothing == png_of({panel_of({Curve{"a", {}, {}}})})));
  CHECK((nothing == png_of({panel_of({Curve{"a", {1, 2}, {kNan, kNan}}})})));
  CHECK((png_of({panel_of({Curve{"a", {1, 2}, {-1, 0}}}, true)}) ==
         png_of({panel_of({}, true)})));
  // Some pixel of a text may be of this colour.
  CHECK(picture_of({panel_of({})}).count(kGrid) < 100);
  CHECK(picture_of({panel_of({Curve{"a", {1, 2}, {3, 4}}})}).count(kGrid) >
        5000);
}

TEST_CASE("the last value is written even if it is a gap", "[chart]") {
  const auto ending_in = [](double value) {
    return png_of({panel_of({Curve{"a", {1, 2, 3}, {1, 2, value}}})});
  };
  CHECK((ending_in(kNan) != ending_in(kInfinity)));
}

TEST_CASE("a single point is a disc", "[chart]") {
  const Picture picture = picture_of({panel_of({Curve{"a", {7}, {5}}})});
  // Radius 3 units of 2 pixels, less its smoothed border.
  const int area = picture.count(kColors[0]);
  CHECK(area > 75);
  CHECK(area < 115);
}

TEST_CASE("fewer than 30 points have markers", "[chart]") {
  const auto area = [](int points) {
    Curve curve{"a", {}, {}};
    for (int i = 0; i < points; ++i) {
      curve.x.push_back(i);
      curve.y.push_back(1);
    }
    return picture_of({panel_of({curve})}).count(kColors[0]);
  };
  // A marker stands out from the line by about 60 pixels.
  CHECK(area(29) > area(30) + 29 * 40);
}

TEST_CASE("labels of curves that end together do not overlap", "[chart]") {
  std::vector<Curve> curves;
  for (int i = 0; i < 8; ++i) {
    curves.push_back(curve_of(
        std::to_string(i), [=](double x) { return 0.1 * i * (200 - x) + 1; }));
  }
  const Picture picture = picture_of({panel_of(curves)});
  // In the middle of the short piece of line that every label begins with.
  const int column = Grid(picture).columns.back() + 38;
  std::vector<int> rows;
  for (const std::uint32_t color : kColors) {
    int first = 0;
    for (int y = picture.height(); y-- > 0;) {
      if (is_near(picture.color(column, y), color)) first = y;
    }
    CHECK(first >= kPlotTop - 4);
    CHECK(first <= kPlotBottom + 4);
    rows.push_back(first);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      CHECK(std::abs(rows[i] - rows[k]) >= 29);
    }
  }
}

TEST_CASE("more than eight curves are a bundle", "[chart]") {
  std::vector<Curve> curves;
  for (int i = 0; i < 9; ++i) {
    curves.push_back(curve_of("a", [=](double x) { return i * x; }));
  }
  const Picture bundle = picture_of({panel_of(curves)});
  curves.pop_back();
  const Picture named = picture_of({panel_of(curves)});
  for (const std::uint32_t color : kColors) {
    CAPTURE(color);
    CHECK(named.count(color) > 100);
    CHECK(bundle.count(color) == 0);
  }
  // The labels' room is the curves'.
  CHECK(Grid(bundle).columns.back() > Grid(named).columns.back() + 50);
}

TEST_CASE("a curve keeps its colour where others are missing", "[chart]") {
  const Panel all = panel_of({Curve{"a", {1}, {1}, 0}, Curve{"b", {1}, {2}, 1},
                              Curve{"c", {1}, {3}, 2}});
  Panel two = all;
  two.curves.erase(two.curves.begin());
  const Picture picture = picture_of({all, two});
  constexpr int kPanel = 512;
  const auto area = [&](std::size_t color, int panel) {
    return picture.count(kColors[color], kPlotTop + panel * kPanel,
                         kPlotBottom + panel * kPanel);
  };
  CHECK(area(0, 0) > 75);
  CHECK(area(0, 1) == 0);
  for (const std::size_t color : {1, 2}) CHECK(area(color, 1) > 75);
}

TEST_CASE("extreme numbers and names are drawn all the same", "[chart]") {
  const double extreme =
      GENERATE(0.0, 1.0, -1e308, 1e308, 5e-324, 1e-300, 1e250, 1e-250, 1e17);
  const bool logarithmic = GENERATE(false, true);
  std::string name;
  for (int i = 0; i < 200; ++i) name += "λ—";
  const std::vector<double> values = {extreme, 1 + 1e-15, extreme, -extreme};
  const Panel panel{name,
                    name,
                    name,
                    logarithmic,
                    {Curve{name, {0, 1e-9, 1e9, -4}, values},
                     Curve{"", {extreme}, {extreme}}, Curve{"none", {}, {}}}};
  const TemporaryFolder folder;
  CAPTURE(extreme, logarithmic);
  draw_chart(folder.path("chart.png"), name, {panel});
  CHECK(Picture(folder.path("chart.png")).count(0xFFFFFF) > 100000);
}

TEST_CASE("no piece of a long line is missing", "[chart]") {
  // 39 jumps between 1 and 0, which cross the middle of the plot.
  Curve curve{"a", {}, {}};
  for (int i = 0; i < 2000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i / 50 % 2);
  }
  const Picture picture = picture_of({panel_of({curve})});
  // Between two lines of the grid.
  const int row = (kPlotTop + kPlotBottom) / 2 - 4;
  int crossings = 0;
  bool crossing = false;
  for (int x = 0; x < picture.width(); ++x) {
    const bool colored = is_near(picture.color(x, row), kColors[0]);
    crossings += colored && !crossing;
    crossing = colored;
  }
  CHECK(crossings == 39);
}

TEST_CASE("a hundred thousand points are drawn", "[chart]") {
  Curve curve{"a", {}, {}};
  for (int i = 0; i < 100000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i * 7919 % 1000);
  }
  CHECK(picture_of({panel_of({curve})}).count(kColors[0]) > 100000);
}

TEST_CASE("charts that cannot be drawn are refused in words", "[chart]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("chart.png");
  const Panel good = panel_of({Curve{"a", {1, 2}, {3, 4}}});

  CHECK_THROWS_WITH(
      draw_chart(path, "t", {panel_of({Curve{"a", {1, 2}, {3}}})}),
      ContainsSubstring("curve 'a' of panel 'loss': expected equally many x "
                        "and y, met 2 and 1"));
  CHECK_THROWS_WITH(draw_chart(path, "t", std::vector<Panel>(61, good)),
                    ContainsSubstring("expected at most 60 panels, met 61"));
  CHECK_THROWS_WITH(draw_chart(path, "\xFF", {good}),
                    ContainsSubstring("not valid UTF-8"));
  CHECK_THROWS_AS(draw_chart(folder.path("missing/chart.png"), "t", {good}),
                  Error);
  CHECK_FALSE(std::filesystem::exists(path));
  draw_chart(path, "t", std::vector<Panel>(60, good));
  CHECK(std::filesystem::exists(path));
}

}  // namespace
}  // namespace nestgrad
