#include "experiments/plot/plane.h"

#include <ATen/ATen.h>

#include "tests/experiments/plot/picture.h"

namespace nestgrad {
namespace {

Picture drawn(const Plane& plane) {
  const TemporaryFolder folder;
  draw_plane(folder.path("plane.png"), plane);
  return Picture(folder.path("plane.png"));
}

}  // namespace

TEST_CASE("a plane has the same unit on both axes", "[plot]") {
  // A square of side 1 far wider than high stays a square.
  Plane plane{"", "x", "y"};
  plane.paths = {{"", {0, 1, 1, 0, 0}, {5, 5, 6, 6, 5}}};
  const Picture picture = drawn(plane);
  int left = picture.width(), right = 0, top = picture.height(), bottom = 0;
  for (int y = 0; y < picture.height(); ++y) {
    for (int x = 0; x < picture.width(); ++x) {
      if (picture.color(x, y) != kColors[0]) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  CHECK(right - left > 700);
  CHECK(std::abs((right - left) - (bottom - top)) <= 8);
}

TEST_CASE("points that are not finite are left out of a plane", "[plot]") {
  Plane plane{"", "x", "y"};
  plane.paths = {{"a", {0, kNan, 1}, {0, 0, kInfinity}}, {"b", {kNan}, {kNan}}};
  CHECK_NOTHROW(drawn(plane));
  CHECK_NOTHROW(drawn(Plane{"empty", "x", "y"}));
  plane.clouds = {{"", {1, 2}, {1}}};
  CHECK_THROWS_WITH(drawn(plane), ContainsSubstring("equally many x and y"));
}

TEST_CASE(
    "a map is blue below its level, red above, grey where it has no "
    "value",
    "[plot]") {
  Plane plane{"", "x", "y"};
  plane.map = at::tensor({0.5, 1.0, 2.0, kNan}, at::kDouble).view({2, 2});
  plane.map_x = {0, 1};
  plane.map_y = {0, 1};
  plane.level = 1;
  const Picture picture = drawn(plane);
  const auto red = [&](int x, int y) { return picture.color(x, y) >> 16; };
  const auto blue = [&](int x, int y) { return picture.color(x, y) & 0xFF; };
  // The first row, at the least y, is below.
  const int left = 300, right = 900, top = 300, bottom = 900;
  CHECK(blue(left, bottom) > red(left, bottom) + 50);
  CHECK(picture.color(right, bottom) == 0xFFFFFF);
  CHECK(red(left, top) > blue(left, top) + 50);
  CHECK(picture.color(right, top) == 0x999999);
}

}  // namespace nestgrad
