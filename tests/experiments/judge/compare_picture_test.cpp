#include "experiments/judge/compare_result.h"
#include "tests/experiments/plot/picture.h"

namespace nestgrad {

TEST_CASE("an estimator has the same colour in all panels of a comparison",
          "[compare][chart]") {
  ComparisonResult result;
  result.keys = 3;
  // The first two are not random and so are missing in the panel of deviations.
  for (const bool random : {false, false, true, true}) {
    ComparisonRow row;
    row.name = fmt::format("method {}", result.rows.size());
    row.seconds = 1.0 + static_cast<double>(result.rows.size());
    row.distance = Distance();
    row.distance->error = 0.1 * *row.seconds;
    row.scatter = Scatter{random ? 0.01 : 0.0, random ? 0.1 : 0.0};
    result.rows.push_back(row);
  }
  const TemporaryFolder folder;
  result.draw(folder.path("compare.png"));
  const Picture picture(folder.path("compare.png"));
  constexpr int kPanel = 512;
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(picture.count(kColors[i], kPlotTop, kPlotBottom) > 75);
    const int second =
        picture.count(kColors[i], kPlotTop + kPanel, kPlotBottom + kPanel);
    CHECK((second > 75) == (i >= 2));
  }
}

TEST_CASE(
    "estimators that differ in their windows are compared over their length",
    "[compare][chart]") {
  ComparisonResult result;
  result.keys = 3;
  const auto add = [&](const char* name, std::int64_t window, double error) {
    ComparisonRow row;
    row.name = name;
    row.window = window;
    row.seconds = 1;
    row.distance = Distance();
    row.distance->error = error;
    row.scatter = Scatter{0.01, 0.1};
    result.rows.push_back(row);
  };
  add("truncated", 10, 0.01);
  add("truncated", 1, 1);
  add("evolution", 1, 0.01);
  CHECK(result.over_windows());
  const std::string text = result.text();
  for (const char* line : {"truncated, window 10 ", "truncated, window 1 ",
                           "evolution, window 1 "}) {
    CHECK_THAT(text, ContainsSubstring(line));
  }
  const TemporaryFolder folder;
  result.draw(folder.path("compare.png"));
  const Picture picture(folder.path("compare.png"));
  // Rows of one name are one curve: a long line and a point.
  CHECK(picture.count(kColors[0], kPlotTop, kPlotBottom) > 1000);
  CHECK(picture.count(kColors[1], kPlotTop, kPlotBottom) > 75);
  CHECK(picture.count(kColors[1], kPlotTop, kPlotBottom) < 1000);
  CHECK(picture.count(kColors[2], kPlotTop, kPlotBottom) == 0);

  for (ComparisonRow& row : result.rows) row.window = 1;
  CHECK_FALSE(result.over_windows());
  CHECK_THAT(result.text(), !ContainsSubstring("window"));
}

}  // namespace nestgrad
