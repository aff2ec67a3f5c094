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

}  // namespace nestgrad
