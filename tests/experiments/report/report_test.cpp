#include "experiments/report/report.h"

#include <filesystem>

#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/report/probed.h"

namespace nestgrad {

namespace fs = std::filesystem;

TEST_CASE("a browser draws every chart of a page, with the values of the run",
          "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "quickstart", "decays");
  run_shortened(folder, "distill_logistic", "images");
  const Ended ended =
      program(folder.path(""), "report decays images/ --out page.html");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  for (const int width : {1280, 500}) {
    CAPTURE(width);
    const Json probe = probed(folder, "page.html", width);
    CHECK(probe["scrolls_sideways"] == false);
    CHECK(probe["images"] == 2);  // distilled.png and that over time
    REQUIRE(probe["charts"].size() > 10);
    for (const Json& chart : probe["charts"]) {
      CAPTURE(chart.dump());
      CHECK(chart["painted"] > 100);
      CHECK(chart["width"] <= width);
    }
    const auto lines =
        parse_json_lines(read_file(folder.path("decays/metrics.jsonl")));
    REQUIRE(lines.size() == 13);
    const auto check = [&](const char* title, const char* label,
                           const char* key) {
      CAPTURE(title, label);
      const Json* const series = series_of(probe, "decays", title, label);
      REQUIRE(series != nullptr);
      // The start has no estimate.
      const std::size_t first = lines.front().contains(key) ? 0 : 1;
      CHECK((*series)["count"] == 13 - first);
      CHECK((*series)["first"] == lines[first][key]);
      CHECK((*series)["last"] == lines.back()[key]);
    };
    check("validation loss", "outer loss", "outer_loss");
    check("weight_decay", "weight_decay.0", "weight_decay.0");
    check("weight_decay", "weight_decay.3", "weight_decay.3");
    check("solver", "residual", "residual");
    const Json* const accuracy =
        series_of(probe, "decays", "accuracy", "validation");
    REQUIRE(accuracy != nullptr);
    CHECK((*accuracy)["count"] == 6);  // steps 0, 1, 3, 6, 9 and 12
    // Both runs in one chart.
    CHECK(std::any_of(
        probe["charts"].begin(), probe["charts"].end(), [](const Json& chart) {
          return chart["run"] == "" && chart["series"].size() == 2;
        }));
  }
}

TEST_CASE("a page needs nothing from elsewhere", "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "ridge_ift", "ridge");
  const std::string page = report_page({{ReportedRun{folder.path("ridge")}}});
  CHECK(page.find("{{") == std::string::npos);
  for (const char* reference : {"src=\"http", "href=", "url(", "@import"}) {
    CAPTURE(reference);
    CHECK(page.find(reference) == std::string::npos);
  }
  CHECK_THAT(page, ContainsSubstring("default-src 'none'"));
}

TEST_CASE("a page shows runs that have not ended, or have hardly begun",
          "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "ridge_ift", "ridge");
  fs::remove(folder.path("ridge/summary.json"));
  std::string lines = read_file(folder.path("ridge/metrics.jsonl"));
  folder.write("ridge/metrics.jsonl", lines.substr(0, lines.size() / 2));
  fs::create_directory(folder.path("begun"));
  folder.write("begun/config.json",
               R"({"hyperparameters": {"</script>": {}}, "x": "{{DATA}}"})");
  REQUIRE(program(folder.path(""), "report ridge begun").code == 0);
  const Json probe = probed(folder, "report.html", 1280);
  CHECK(series_of(probe, "ridge", "validation loss", "outer loss") != nullptr);
}

TEST_CASE("long runs are thinned and keep what is rare", "[report]") {
  const TemporaryFolder folder;
  folder.write("config.json", R"({"hyperparameters": {"step": {}, "d": {}}})");
  std::string text;
  for (int i = 1; i <= 50000; ++i) {
    Json line = {{"step", i},
                 {"outer_loss", 1.0 / i},
                 {"hyper.step", 2},
                 {"d.mean", 1e-5 * i},
                 {"status", i == 777 ? "failed" : "ok"}};
    if (i % 5000 == 0) line["evaluated.test_loss"] = i;
    text += line.dump() + "\n";
  }
  folder.write("metrics.jsonl", text);
  const Json data = report_data({folder.path("")});
  CHECK(data["outer_steps"] == 50000);
  const Json& steps = data["columns"]["step"];
  CHECK(steps.size() >= 2000);
  CHECK(steps.size() < 2020);
  CHECK(data["rows_left_out"] == 50000 - steps.size());
  CHECK(steps.back() == 50000);
  CHECK(std::count(data["status"].begin(), data["status"].end(), "failed") ==
        1);
  CHECK(std::any_of(data["columns"]["evaluated.test_loss"].begin(),
                    data["columns"]["evaluated.test_loss"].end(),
                    [](const Json& v) { return v.is_number(); }));
  // A hyperparameter called like a column of every run.
  REQUIRE(data["hyperparameters"].size() == 2);
  CHECK(data["hyperparameters"][0]["columns"] == Json{"hyper.step"});
  CHECK(data["hyperparameters"][1]["summary"] == true);
  CHECK(data["hyperparameters"][1]["logarithmic"] == true);
}

TEST_CASE("a report of no run says so", "[report]") {
  const TemporaryFolder folder;
  const Ended none = program(folder.path(""), "report nowhere");
  CHECK(none.code == 2);
  CHECK_THAT(none.output,
             ContainsSubstring("nowhere: there is no such folder"));
  folder.write("config.json", "{}");
  folder.write("metrics.jsonl", "{\"step\": 1}\nnonsense\n");
  const Ended damaged = program(folder.path(""), "report .");
  CHECK(damaged.code == 2);
  CHECK_THAT(damaged.output, ContainsSubstring("line 2 is not a JSON object"));
}

TEST_CASE("distributions of large sets are written and end in the page",
          "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "fashion_mnist_decay_per_weight", "weights");
  const auto lines =
      parse_json_lines(read_file(folder.path("weights/histograms.jsonl")));
  REQUIRE_FALSE(lines.empty());
  std::int64_t total = 0;
  for (const Json& count : lines.back()["counts"]) {
    total += count.get<std::int64_t>();
  }
  CHECK(total > 1000);
  CHECK(lines.back()["logarithmic"] == true);
  const Json data = report_data({folder.path("weights")});
  REQUIRE(data["histograms"].size() == 1);
  CHECK(data["histograms"][0]["step"] == Json{0, 1, 3, 6, 9, 12});
  CHECK(data["histograms"][0]["counts"].size() == 6);
}

}  // namespace nestgrad
