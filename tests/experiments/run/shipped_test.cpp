// Every shipped configuration is run.

#include <filesystem>

#include "core/metric.h"
#include "core/platform/files.h"
#include "experiments/judge/plan.h"
#include "experiments/record/json_lines.h"
#include "experiments/run/runner.h"
#include "experiments/setup/experiment.h"
#include "tests/support/shipped_configs.h"
#include "tests/support/shortened.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

namespace fs = std::filesystem;

namespace {

/// What is handed out is judged to be no worse than the start, which the first
/// two lines are of.
void check_selection(const std::vector<Json>& lines, const Json& summary) {
  const Json& selected = summary["selected"];
  if (!summary.contains("hyperparameters")) {  // nothing is tuned
    CHECK(selected["select"] == "last");
    return;
  }
  REQUIRE(selected["select"] == "best");
  const auto metric = selected["metric"].get<std::string>();
  const bool evaluated = metric != "outer_loss";
  const std::string column = evaluated ? "evaluated." + metric : metric;
  const auto value = selected["value"].get<double>();
  CHECK(lines[selected["step"].get<std::size_t>()][column] == value);
  for (std::size_t k = 0; k < 2; ++k) {
    CAPTURE(k, column);
    if (!lines[k].contains(column) || lines[k][column].is_null()) continue;
    CHECK(to_minimize(metric, value) <=
          to_minimize(metric, lines[k][column].get<double>()));
  }
  if (evaluated) CHECK(summary["tuned"][metric] == value);
}

/// Runs a configuration of two outer steps, looks at its files and returns its
/// summary.
Json ran(const Json& config) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run/");
  const int code = run_experiment(JsonFile::parse(config.dump(), "short"),
                                  {run, Talk{Verbosity::kSilent}});
  REQUIRE(code == 0);
  for (const char* name : {"config.json", "run.json", "metrics.jsonl",
                           "summary.json", "hyperparameters.safetensors",
                           "weights.safetensors", "trajectory.png"}) {
    CAPTURE(name);
    CHECK(fs::file_size(run + name) > 0);
  }
  const auto lines = parse_json_lines(read_file(run + "metrics.jsonl"));
  REQUIRE(lines.size() == 3);
  for (const char* key :
       {"step", "seconds", "outer_loss", "gradient_norm", "status"}) {
    CHECK(lines[2].contains(key));
  }
  const Json summary = Json::parse(read_file(run + "summary.json"));
  const Json effective = Json::parse(read_file(run + "config.json"));
  // Truncated training begins with a part of a run.
  const Json& estimator = effective["estimator"];
  if (effective["outer"]["select"] == "best" &&
      estimator["horizon"] <= estimator["window"]) {
    check_selection(lines, summary);
  }
  // The effective configuration says everything: it completes to itself.
  CHECK(complete(experiment_schema(), effective) == effective);
  return summary;
}

}  // namespace

TEST_CASE(
    "every shipped configuration runs, writes its files and takes the memory "
    "that its plan predicts",
    "[experiment][plan]") {
  for (const std::string& path : shipped_configs()) {
    CAPTURE(path);
    Json config = shipped_config(path);
    CHECK_NOTHROW(complete(experiment_schema(), config));
    // Two of their outer steps and networks take as long as those of all
    // others. What they are made of is in distill_ift,
    // fashion_mnist_augmentation_network and the tests of pools and protocols.
    if (path.find("distill_fashion_mnist") != std::string::npos ||
        path.find("distill_frepo") != std::string::npos) {
      ran(shortened(config));
      continue;
    }
    // The memory of a run does not depend on how many outer steps it has, nor
    // on how many networks are trained one after another or before.
    config["outer"]["steps"] = config["record"]["retrain"] = 2;
    config["record"]["networks"] = 1;
    shorten_pretraining(config["problem"]);
    const Json plan =
        make_plan(Config(complete(experiment_schema(), config))).to_json();
    // A plan does not know the few numbers of an evaluation. They count where
    // a game has two.
    constexpr double kKibibyte = 1. / 1024;
    CHECK(plan["tensor_mib"]["peak"].get<double>() ==
          Approx(ran(config)["peak_tensor_mib"].get<double>())
              .epsilon(0.2)
              .margin(kKibibyte));
  }
}

TEST_CASE("shipped configurations for GPUs and exported networks run",
          "[experiment]") {
  for (const char* folder : {"/configs/exported", "/configs/gpu"}) {
    for (const std::string& path : shipped_configs(folder)) {
      CAPTURE(path);
      const Json config = shipped_config(path);
      CHECK_NOTHROW(complete(experiment_schema(), config));
      ran(shortened(config));
    }
  }
}

}  // namespace nestgrad
