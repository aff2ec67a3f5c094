#include <filesystem>

#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

namespace fs = std::filesystem;

TEST_CASE("tuning ends early without improvement and at a budget", "[resume]") {
  const TemporaryFolder folder;
  const auto ends = [&](const Json& stop, const std::string& termination,
                        const std::string& message) {
    CAPTURE(stop.dump());
    Json config = small(1000);
    config["outer"]["stop"] = stop;
    folder.write("a.json", config.dump());
    fs::remove_all(folder.path("run"));
    const Ended ended = program(folder.path(""), "run a.json --out run");
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    const Json summary = json_of(folder.path("run/summary.json"));
    CHECK(summary["termination"] == termination);
    CHECK_THAT(summary["message"].get<std::string>(),
               ContainsSubstring(message));
    CHECK(summary.contains("retrained_found"));
    const std::size_t lines =
        parse_json_lines(read_file(folder.path("run/metrics.jsonl"))).size();
    CHECK(summary["outer_steps"] == lines - 1);  // the start has one
    return summary;
  };
  // Every step would have to gain a thousand.
  const Json patient =
      ends({{"patience", 7}, {"improvement", 1000}}, "early_stopping",
           "outer_loss has not improved since outer step 1");
  CHECK(patient["outer_steps"] == 8);
  CHECK(
      ends({{"patience", 7}, {"improvement", 2}, {"metric", "valid_accuracy"}},
           "early_stopping", "valid_accuracy")["outer_steps"] == 8);
  CHECK(ends({{"products", 45}}, "budget", "products")["hessian_products"] >=
        45);
  const Json gradients = ends({{"train_gradients", 50}}, "budget",
                              "50 gradients of the training loss");
  CHECK(gradients["outer_steps"] < 20);
  CHECK(ends({{"seconds", 0.2}}, "budget", "seconds")["seconds"]["tuning"] >=
        0.2);

  Json config = small(10);
  config["outer"]["stop"] = {{"patience", 3}, {"metric", "valid_accuracy"}};
  folder.write("a.json", config.dump());
  CHECK_THAT(program(folder.path(""), "run a.json --out none").output,
             ContainsSubstring("/outer/stop/patience: must be at least "
                               "record.every, 5"));
  config["outer"]["stop"] = {{"patience", 5}, {"metric", "valid_acuracy"}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out none");
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("/outer/stop/metric: there is no "
                                             "metric 'valid_acuracy'; there "
                                             "are: outer_loss, "));
}

TEST_CASE("final runs are as long as tuning was before its budget ended it",
          "[resume]") {
  const TemporaryFolder folder;
  Json config = small(1000);
  config["record"]["retrain"] = "auto";
  config["outer"]["stop"] = {{"products", 45}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const auto steps =
      json_of(folder.path("run/summary.json"))["outer_steps"].get<int>();
  CHECK(steps < 10);
  CHECK_THAT(ended.output, ContainsSubstring(fmt::format(
                               "hyperparameters, {} steps", 3 * steps)));
  // A changed budget lets it go on, and its final runs are longer.
  const Ended resumed =
      program(folder.path(""), "resume run --set outer.stop.products=90");
  CAPTURE(resumed.output);
  REQUIRE(resumed.code == 0);
  const auto later =
      json_of(folder.path("run/summary.json"))["outer_steps"].get<int>();
  CHECK(later > steps);
  CHECK_THAT(resumed.output, ContainsSubstring(fmt::format(
                                 "hyperparameters, {} steps", 3 * later)));
}

TEST_CASE("final runs keep to a budget of their own", "[resume]") {
  const TemporaryFolder folder;
  Json config = small(2);
  config["record"].update(
      {{"retrain", 10000000}, {"retrain_seconds", 1}, {"networks", 2}});
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json summary = json_of(folder.path("run/summary.json"));
  CHECK(summary["seconds"]["retraining"] < 3);
  for (const char* run : {"retrained_start", "retrained_found"}) {
    CHECK(summary[run]["steps"] > 0);
    CHECK(summary[run]["steps"] < 10000000);
    CHECK(summary[run].contains("valid_loss"));
  }
  CHECK_THAT(ended.output, ContainsSubstring("steps\n"));
  // Runs that end within the budget are complete.
  config["record"]["retrain"] = 10;
  config["record"]["retrain_seconds"] = 1000;
  folder.write("b.json", config.dump());
  REQUIRE(program(folder.path(""), "run b.json --out all --quiet").code == 0);
  CHECK(json_of(folder.path("all/summary.json"))["retrained_found"]["steps"] ==
        10);
}

}  // namespace nestgrad
