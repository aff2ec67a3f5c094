// New networks that are trained at evaluations (record.fresh).

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// A run whose evaluations train one network, as its final runs do.
Json with_fresh_networks() {
  Json json = small(6);
  json["outer"]["lr"] = 1.5;  // so that not the last step is the best
  json["record"].update(
      Json{{"fresh", true}, {"networks", 1}, {"every", 2}, {"retrain", 40}});
  return json;
}

/// Twelve learned points, judged by a protocol.
Json distillation_with_fresh_networks() {
  Json json = with_fresh_networks();
  json["problem"] = {{"type", "distillation"},
                     {"data",
                      {{"type", "fashion_mnist"},
                       {"train", 100},
                       {"valid", 50},
                       {"test", 50},
                       {"standardize", true}}},
                     {"model", "logistic"},
                     {"examples", 12},
                     {"valid_batch", 50}};
  json["hyperparameters"] = {{"inputs", Json::object()}};
  json["estimator"] = {{"type", "unrolled"}, {"window", 2}, {"horizon", 2}};
  json["record"]["protocol"] = {
      {"type", "dc"},
      {"model", {{"type", "convnet"}, {"width", 4}, {"depth", 2}}}};
  json["record"]["retrain"] = 12;
  return json;
}

std::vector<Json> lines_of(const TemporaryFolder& folder,
                           const std::string& run) {
  return parse_json_lines(read_file(folder.path(run + "/metrics.jsonl")));
}

}  // namespace

TEST_CASE("fresh networks say over the outer steps what final runs say",
          "[fresh]") {
  const TemporaryFolder folder;
  const bool distills = GENERATE(false, true);
  CAPTURE(distills);
  run_config(
      folder,
      distills ? distillation_with_fresh_networks() : with_fresh_networks(),
      "run");
  const Json summary = json_of(folder.path("run/summary.json"));
  const char* const loss = "evaluated.fresh_valid_loss";
  Json best;
  for (const Json& line : lines_of(folder, "run")) {
    const std::int64_t step = line["step"];
    CAPTURE(step);
    REQUIRE(line.contains(loss) == (step <= 1 || step % 2 == 0));
    if (!line.contains(loss)) continue;
    for (const auto& [name, value] : summary["retrained_start"].items()) {
      const std::string key = "evaluated.fresh_" + name;
      REQUIRE(line.contains(key));
      if (step == 0) CHECK(line[key] == value);
    }
    if (best.is_null() || line[loss] < best[loss]) best = line;
  }
  // The step whose fresh network is the best is handed out.
  CHECK(summary["selected"]["metric"] == "fresh_valid_loss");
  CHECK(summary["selected"]["step"] == best["step"]);
  CHECK(summary["selected"]["value"] == best[loss]);
  for (const auto& [name, value] : summary["retrained_found"].items()) {
    CHECK(best["evaluated.fresh_" + name] == value);
  }
}

TEST_CASE("fresh networks change nothing else and are resumed bit by bit",
          "[fresh]") {
  const TemporaryFolder folder;
  Json config = with_fresh_networks();
  config["record"]["checkpoint"]["steps"] = 3;
  run_config(folder, config, "whole");
  config["record"]["checkpoint"]["keep"] = 5;
  run_config(folder, config, "run");
  std::vector<fs::path> saved;
  for (const auto& entry :
       fs::directory_iterator(folder.path("run/checkpoints"))) {
    saved.push_back(entry.path());
  }
  std::sort(saved.begin(), saved.end());
  REQUIRE(saved.size() == 3);  // step 3, the end of tuning, the end
  fs::remove(saved[2]);
  fs::remove(saved[1]);
  fs::remove(folder.path("run/summary.json"));
  const Ended resumed = program(folder.path(""), "resume run --quiet");
  CAPTURE(resumed.output);
  REQUIRE(resumed.code == 0);
  config["record"]["fresh"] = false;
  run_config(folder, config, "without");

  const auto whole = lines_of(folder, "whole");
  const auto again = lines_of(folder, "run");
  const auto without = lines_of(folder, "without");
  REQUIRE(again.size() == whole.size());
  REQUIRE(without.size() == whole.size());
  const char* const loss = "evaluated.fresh_valid_loss";
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CAPTURE(i);
    CHECK(again[i].value(loss, -1.0) == whole[i].value(loss, -1.0));
    CHECK_FALSE(without[i].contains(loss));
    for (const char* key : {"weight_decay", "outer_loss", "train_gradients",
                            "evaluated.test_loss"}) {
      CHECK(again[i].contains(key) == whole[i].contains(key));
      if (!whole[i].contains(key)) continue;
      CHECK(again[i][key] == whole[i][key]);
      CHECK(without[i][key] == whole[i][key]);
    }
  }
  const Json summary = json_of(folder.path("run/summary.json"));
  for (const char* key : {"selected", "retrained_found"}) {
    CHECK(summary[key] == json_of(folder.path("whole/summary.json"))[key]);
  }
}

TEST_CASE("fresh networks that diverge are no candidates", "[fresh]") {
  const TemporaryFolder folder;
  Json config = with_fresh_networks();
  config["hyperparameters"]["lr"] = {{"initial", 0.1}};
  config["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  config["estimator"] = {{"type", "unrolled"}, {"window", 1}};
  // The rate becomes e^20 times as large: one step of the estimate stays
  // finite, two hundred do not.
  config["outer"] = {{"type", "adam"}, {"lr", 20}, {"steps", 2}};
  config["record"]["every"] = 1;
  config["record"]["retrain"] = 200;
  folder.write("a.json", config.dump());
  program(folder.path(""), "run a.json --quiet --out run");
  const Json summary = json_of(folder.path("run/summary.json"));
  bool diverged = false;
  for (const Json& line : lines_of(folder, "run")) {
    diverged = diverged || (line.contains("evaluated.fresh_valid_loss") &&
                            line["evaluated.fresh_valid_loss"].is_null());
  }
  CHECK(diverged);
  CHECK(summary["termination"] == "finished");
  CHECK(summary["selected"]["metric"] == "fresh_valid_loss");
  CHECK(std::isfinite(summary["selected"]["value"].get<double>()));
}

TEST_CASE("fresh networks need final runs", "[fresh]") {
  const TemporaryFolder folder;
  Json config = with_fresh_networks();
  config["record"]["retrain"] = 0;
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CHECK(ended.code == 2);
  CHECK_THAT(ended.output, ContainsSubstring("/record/fresh"));
  CHECK_THAT(ended.output,
             ContainsSubstring("needs final runs without a budget"));
}

}  // namespace nestgrad
