#include <sstream>
#include <string>

#include "core/platform/files.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// What a shipped configuration finds: summary.json.
Json finds(const TemporaryFolder& folder, const std::string& name,
           int outer_steps = 0) {
  make_data();
  const Ended ended = program(
      folder.path(""),
      fmt::format("run '{}/configs/{}.json' --quiet --out run{}",
                  NESTGRAD_SOURCE_DIR, name,
                  outer_steps > 0
                      ? fmt::format(" --set outer.steps={}", outer_steps)
                      : ""));
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  return Json::parse(read_file(folder.path("run/summary.json")));
}

}  // namespace

TEST_CASE("the decay found for diabetes is that of the best ridge regression",
          "[jobs]") {
  const TemporaryFolder folder;
  const Json found = finds(folder, "diabetes_regression")["retrained_found"];
  const Ended judged =
      shell(folder.path(""), "/usr/bin/python3 " NESTGRAD_SOURCE_DIR
                             "/tests/experiments/problems/ridge_judge.py run");
  CAPTURE(judged.output);
  REQUIRE(judged.code == 0);
  const Json closed = Json::parse(judged.output);
  const auto loss = [&](const char* decay) {
    return closed[decay]["valid_loss"].get<double>();
  };
  // A hundredth of what there is to be gained.
  CHECK(loss("found") - loss("best") < 0.01 * (loss("none") - loss("best")));
  // The network that was trained with it is the closed form's.
  for (const char* metric : {"valid_loss", "test_loss", "valid_rmse",
                             "test_rmse", "valid_r2", "test_r2"}) {
    CAPTURE(metric);
    CHECK(found[metric].get<double>() ==
          Approx(closed["found"][metric].get<double>()).epsilon(1e-3));
  }
}

TEST_CASE("weights of classes found on a balanced loss recognise a rare class",
          "[jobs]") {
  const TemporaryFolder folder;
  const Json summary = finds(folder, "breast_cancer_rare");
  const auto gain = [&](const char* metric) {
    return summary["retrained_found"][metric].get<double>() -
           summary["retrained_start"][metric].get<double>();
  };
  CHECK(gain("test_recall.malignant") > 0.04);
  CHECK(gain("test_balanced_accuracy") > 0.015);
  CHECK(summary["hyperparameters"].contains("example_weight.malignant"));
  // Tables and the page call them by their names.
  const Ended page = program(folder.path(""), "report run --out page.html");
  CAPTURE(page.output);
  REQUIRE(page.code == 0);
  CHECK_THAT(read_file(folder.path("page.html")),
             ContainsSubstring("[\"example_weight.benign\","
                               "\"example_weight.malignant\"]"));
}

TEST_CASE("a folder of images is learned, and its classes keep their names",
          "[jobs]") {
  const TemporaryFolder folder;
  const Json summary = finds(folder, "image_folder_stn", 40);
  CHECK(summary["tuned"]["test_accuracy"].get<double>() > 0.6);
  CHECK(summary["tuned"].contains("test_recall.sandal"));
  CHECK(summary["hyperparameters"].contains("distance"));
  // The network answers for a folder of images without classes.
  const Ended asked =
      program(folder.path(""), "predict run '" NESTGRAD_SOURCE_DIR
                               "/configs/images/clothes/test/bag' --out bags");
  CAPTURE(asked.output);
  REQUIRE(asked.code == 0);
  std::istringstream rows(read_file(folder.path("bags")));
  std::string row;
  int bags = 0, all = -1;  // the first line has names
  for (; std::getline(rows, row); ++all) {
    bags += row.find(",bag,") != std::string::npos;
  }
  CHECK(all == 95);
  CHECK(bags > 70);
}

}  // namespace nestgrad
