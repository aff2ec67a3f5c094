#include "experiments/black_box/equal_time.h"

#include <cmath>
#include <filesystem>

#include "core/platform/files.h"
#include "experiments/black_box/equal_time_results.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

Json point(const std::string& arm, int seed, double seconds, Json metrics) {
  return {{"arm", arm},
          {"seed", seed},
          {"processor_seconds", seconds},
          {"metrics", std::move(metrics)}};
}

Json metrics(double valid, double test) {
  return {{"valid_loss", valid}, {"test_loss", test}};
}

Json settings(int seeds) {
  return {{"config", {{"seed", 1}}},
          {"searches", {{{"type", "random"}}}},
          {"budget", 10},
          {"seeds", seeds},
          {"numbers", 3},
          {"metric", "valid_loss"}};
}

Json way(const Json& results, std::size_t i) { return results["ways"][i]; }

}  // namespace

TEST_CASE(
    "a search hands out its best trial within the budget, hypergradients "
    "the last network",
    "[black_box]") {
  std::vector<Json> lines = {
      point("hypergradients", 1, 1, metrics(0.3, 0.31)),
      point("hypergradients", 1, 9, metrics(0.4, 0.41)),
      point("hypergradients", 1, 11, metrics(0.1, 0.11)),  // too late
      point("random", 1, 2, Json::object()),               // diverged
      point("random", 1, 4, metrics(0.5, 0.1)),
      point("random", 1, 6, metrics(0.2, 0.9)),
      point("random", 1, 8, metrics(0.3, 0.2)),
      point("random", 1, 10.5, metrics(0.1, 0.1))};  // too late
  const Json results = EqualTimeResults(settings(1), lines).json();
  CHECK(way(results, 0)["valid_loss"]["mean"] == Approx(0.4));
  CHECK(way(results, 0)["test_loss"]["mean"] == Approx(0.41));
  CHECK(way(results, 1)["valid_loss"]["mean"] == Approx(0.2));
  // The test loss is that of the trial that validation chooses.
  CHECK(way(results, 1)["test_loss"]["mean"] == Approx(0.9));
  CHECK(results["comparisons"][0]["kind"] == "ratio");
  CHECK(results["comparisons"][0]["mean"] == Approx(2));
  // With one seed nobody knows.
  CHECK(results["comparisons"][0]["ahead"] == "undecided");
}

TEST_CASE("who is ahead follows from the 95 % interval over seeds",
          "[black_box]") {
  const auto ahead = [](std::vector<double> hypergradients,
                        std::vector<double> random,
                        const std::string& metric = "valid_loss") {
    std::vector<Json> lines;
    for (std::size_t i = 0; i < hypergradients.size(); ++i) {
      const int seed = static_cast<int>(i) + 1;
      lines.push_back(
          point("hypergradients", seed, 1, {{metric, hypergradients[i]}}));
      lines.push_back(point("random", seed, 1, {{metric, random[i]}}));
    }
    Json s = settings(static_cast<int>(hypergradients.size()));
    s["metric"] = metric;
    return EqualTimeResults(s, lines)
        .json()["comparisons"][0]["ahead"]
        .get<std::string>();
  };
  CHECK(ahead({0.1, 0.2, 0.3}, {0.2, 0.42, 0.59}) == "hypergradients");
  CHECK(ahead({0.2, 0.42, 0.59}, {0.1, 0.2, 0.3}) == "random");
  CHECK(ahead({0.1, 0.2, 0.3}, {0.2, 0.1, 0.4}) == "undecided");
  // One enormous loss does not hide that all others are larger, too.
  const std::vector<double> ours(5, 0.1);
  CHECK(ahead(ours, {1, 2, 1, 2, 1e3}) == "hypergradients");
  CHECK(MeanOverSeeds::of({1, 2, 1, 2, 1e3}, false).low < 0.1);
  // Large accuracies are better, and negative losses have no logarithms.
  CHECK(ahead({0.8, 0.9, 0.7}, {0.7, 0.79, 0.61}, "valid_accuracy") ==
        "hypergradients");
  CHECK(ahead({-0.8, -0.9, -0.7}, {-0.7, -0.79, -0.61}) == "hypergradients");
}

TEST_CASE("means over seeds have the intervals of Student's t distribution",
          "[black_box]") {
  // scipy.stats.t.ppf(0.975, 2) * std([1, 2, 4], ddof=1) / sqrt(3)
  const MeanOverSeeds mean = MeanOverSeeds::of({1, 2, 4}, false);
  CHECK(mean.mean == Approx(7. / 3));
  CHECK(mean.high - mean.mean == Approx(3.7945831).epsilon(1e-4));
  CHECK(mean.mean - mean.low == Approx(3.7945831).epsilon(1e-4));
  const MeanOverSeeds geometric = MeanOverSeeds::of({1, 2, 4}, true);
  CHECK(geometric.mean == Approx(2));
  // exp(t std(log) / sqrt(3)), std(log) = log(2)
  CHECK(
      geometric.high / 2 ==
      Approx(std::exp(4.3026527 * std::log(2.) / std::sqrt(3.))).epsilon(1e-4));
  CHECK(geometric.low * geometric.high == Approx(4));
}

TEST_CASE(
    "a comparison in equal time trains networks by both ways and tells "
    "the results",
    "[black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  const Ended ended =
      program(folder.path(""),
              "compare r.json --search random --search "
              "'{\"type\": \"optuna\", \"python\": \"/usr/bin/python3\"}' "
              "--budget 0.3 --seeds 2 --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  for (const char* name :
       {"search.json", "trials.jsonl", "results.csv", "comparison.png"}) {
    CHECK(file_exists(folder.path(std::string("out/") + name)));
  }
  const Json results = Json::parse(read_file(folder.path("out/results.json")));
  REQUIRE(results["ways"].size() == 3);
  for (const Json& w : results["ways"]) {
    CHECK(w["seeds"].size() == 2);
    CHECK(w["seeds"][0]["networks"] > 1);
    CHECK(w["valid_loss"]["mean"].is_number());
    CHECK(w["course"]["seconds"].size() == w["course"]["valid_loss"].size());
  }
  // All 20 outer steps take less time than there is.
  CHECK(results["ways"][0]["seeds"][0]["ended"] == "all outer steps made");
  CHECK(results["ways"][1]["seeds"][0]["ended"] == "budget");
}

TEST_CASE(
    "the last network of tuning is the one that a run would end with, the "
    "best step or the last",
    "[black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  std::vector<double> results;
  for (const std::string select : {"best", "last"}) {
    const std::string set =
        " --set record.networks=1 --set outer.select=" + select + " -q --out " +
        select;
    REQUIRE(program(folder.path(""),
                    "compare r.json --search random --seeds 1 "
                    "--budget 0.3" +
                        set + "_compared")
                .code == 0);
    REQUIRE(program(folder.path(""), "run r.json" + set).code == 0);
    const auto read = [&](const std::string& file) {
      return Json::parse(read_file(folder.path(select + file)));
    };
    results.push_back(
        read("_compared/results.json")["ways"][0]["seeds"][0]["valid_loss"]);
    CHECK(results.back() ==
          Approx(read("/summary.json")["retrained_found"]["valid_loss"]
                     .get<double>())
              .epsilon(1e-12));
  }
  CHECK(results[0] != results[1]);
}

TEST_CASE("a comparison that was killed goes on with the same trials",
          "[black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  REQUIRE(program(folder.path(""),
                  "compare r.json --search "
                  "'{\"type\": \"optuna\", \"python\": \"/usr/bin/python3\"}' "
                  "--budget 1.5 --seeds 1 -q --out whole")
              .code == 0);
  const std::vector<Json> before = lines_of(folder.path("whole/trials.jsonl"));
  // A kill in the middle of a line, a few trials before the end.
  std::string text;
  std::size_t kept = 0;
  for (const Json& line : before) {
    if (line["arm"] == "optuna" && line.value("number", 100) >= 12) break;
    text += line.dump() + "\n";
    ++kept;
  }
  REQUIRE(kept < before.size());
  fs::create_directory(folder.path("killed"));
  fs::copy(folder.path("whole/search.json"), folder.path("killed"));
  folder.write("killed/trials.jsonl", text + "{\"arm\":\"opt");
  REQUIRE(program(folder.path(""), "resume killed -q").code == 0);
  const std::vector<Json> after = lines_of(folder.path("killed/trials.jsonl"));
  const std::size_t both = std::min(before.size(), after.size());
  REQUIRE(both > kept + 1);
  for (std::size_t i = 0; i + 1 < both; ++i) {
    for (const char* key : {"values", "metrics", "number"}) {
      CHECK(before[i].value(key, Json()) == after[i].value(key, Json()));
    }
  }
  CHECK(after.back()["ended"] == "budget");
  CHECK(file_exists(folder.path("killed/results.json")));
}

TEST_CASE("without Optuna random search is compared alone, with a warning",
          "[black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  const Ended ended =
      program(folder.path(""),
              "compare r.json --search random --search "
              "'{\"type\": \"optuna\", \"python\": \"/usr/bin/false\"}' "
              "--budget 0.1 --seeds 1 --out out");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("python3-optuna; random search is taken in its "
                          "place") != std::string::npos);
  const Json results = Json::parse(read_file(folder.path("out/results.json")));
  REQUIRE(results["ways"].size() == 2);
  CHECK(results["ways"][1]["name"] == "random");
}

TEST_CASE("arguments of a comparison that do not fit together are refused",
          "[black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  const auto refused = [&](const std::string& arguments,
                           const std::string& why) {
    const Ended ended = program(folder.path(""), "compare r.json " + arguments);
    CAPTURE(arguments, ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.find(why) != std::string::npos);
    CHECK(!fs::exists(folder.path("runs")));
  };
  refused("", "give either --estimators");
  refused("--search random --keys 3", "--keys needs --estimators");
  refused("--estimators x.json --budget 3", "--budget needs --search");
  refused("--search rondom", "did you mean 'random'?");
  refused("--search random --range weight_decay=1",
          "is not of the form NAME=LOW:HIGH");
  refused("--search random --range lr=1:2", "no tuned hyperparameter 'lr'");
  refused("--search random --set record.retrain=0", "how long a network");
  refused("--search random --set hyperparameters.weight_decay.tuned=false",
          "nothing to tune");
}

}  // namespace nestgrad
