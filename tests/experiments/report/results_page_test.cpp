#include <filesystem>

#include "tests/experiments/report/probed.h"
#include "tests/experiments/run/small_run.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/ridge_config.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

Json example(int row, const char* label, double influence) {
  return {{"row", row}, {"label", label}, {"influence", influence}};
}

/// The results of an attribution with one target.
Json attribution_results() {
  return {{"method", "unrolled"},
          {"training_steps", 200},
          {"training_examples", 1000},
          {"targets_left_out", 0},
          {"targets",
           {{{"name", "valid"},
             {"loss", 0.25},
             {"wrong_labels_auc", 0.916},
             {"most_helpful", {example(1708, "Bag", -0.5)}},
             {"most_harmful", {example(5, "<b>", 2), example(6, "", 1)}}}}},
          {"verification",
           {{"networks", 50},
            {"share_left_out", 0.1},
            {"score", 0.7512},
            {"low", 0.6},
            {"high", 0.9}}}};
}

Json way(const char* name, double mean, int networks) {
  return {
      {"name", name},
      {"seeds",
       {{{"seed", 1}, {"networks", networks}, {"ended", "budget"}},
        {{"seed", 2}, {"networks", 1}, {"ended", "diverged"}}}},
      {"valid_loss", {{"mean", mean}, {"low", 0.2}, {"high", 0.9}}},
      {"valid_accuracy", {{"mean", 0.5}, {"low", nullptr}, {"high", nullptr}}},
      {"course",
       {{"seconds", {0.1, 1, 10}},
        {"valid_loss", {1, 2 * mean, mean}},
        {"valid_accuracy", {0.25, nullptr, 0.5}}}}};
}

Json comparison(const char* with, const char* metric, const char* kind,
                const char* ahead) {
  return {{"with", with}, {"metric", metric}, {"kind", kind},  {"mean", -0.5},
          {"low", -0.75}, {"high", 0.25},     {"ahead", ahead}};
}

/// The results of a comparison with two searches.
Json comparison_results() {
  return {
      {"metric", "valid_loss"},
      {"numbers", 3},
      {"budget", 10},
      {"ways",
       {way("hypergradients", 0.25, 12), way("random", 0.75, 40),
        way("optuna", 0.5, 30)}},
      {"comparisons",
       {comparison("random", "valid_loss", "ratio", "hypergradients"),
        comparison("random", "valid_accuracy", "difference", "random"),
        comparison("optuna", "valid_loss", "ratio", "undecided"),
        comparison("optuna", "valid_accuracy", "difference", "undecided")}}};
}

/// A folder with these results, of the kind that `settings` belongs to.
void write_results(const TemporaryFolder& folder, const std::string& name,
                   const std::string& settings, const Json& results) {
  fs::create_directory(folder.path(name));
  folder.write(name + "/" + settings, "{}");
  folder.write(name + "/results.json", results.dump());
}

/// The text of the page of an attribution with these results.
std::string attribution_text(const Json& results) {
  const TemporaryFolder folder;
  write_results(folder, "out", "attribute.json", results);
  return page_of(folder, "out")["text"];
}

}  // namespace

TEST_CASE(
    "the page of an attribution shows the examples of each target, the first "
    "eight open",
    "[report][attribute]") {
  const TemporaryFolder folder;
  folder.write("c.json", small(3).dump());
  const Ended ended = program(
      folder.path(""), "attribute c.json --targets valid valid:0-9 --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json probe = page_of(folder, "out", 500);
  CHECK(probe["scrolls_sideways"] == false);
  CHECK(probe["headings"] == Json{"out", "Attribution out"});
  CHECK(probe["open_targets"] == 8);
  const Json results = json_of(folder.path("out/results.json"));
  REQUIRE(results["targets"].size() == 11);
  for (const Json& target : results["targets"]) {
    const auto name = target["name"].get<std::string>();
    CAPTURE(name);
    const Json& rows = probe["tables"]["out: examples for " + name];
    REQUIRE(rows.size() == 2 + std::max(target["most_helpful"].size(),
                                        target["most_harmful"].size()));
    const Json& helpful = target["most_helpful"][0];
    const Json& harmful = target["most_harmful"][0];
    CHECK(rows[2][1] == std::to_string(helpful["row"].get<int>()));
    CHECK(rows[2][2] == helpful["label"]);
    CHECK(std::stod(rows[2][3].get<std::string>()) ==
          Approx(helpful["influence"].get<double>()).epsilon(1e-3));
    CHECK(rows[2][4] == std::to_string(harmful["row"].get<int>()));
    CHECK(rows[2][5] == harmful["label"]);
    CHECK(std::stod(rows[2][6].get<std::string>()) ==
          Approx(harmful["influence"].get<double>()).epsilon(1e-3));
  }
  CHECK_THAT(probe["text"].get<std::string>(),
             ContainsSubstring("Not verified: no networks were trained "
                               "without some of the examples."));
}

TEST_CASE("the page of an attribution begins with what was found",
          "[report][attribute]") {
  const std::string text = attribution_text(attribution_results());
  for (const char* part :
       {"1,000 training examples, 200 training steps, method unrolled, 1 "
        "target.",
        "Linear datamodelling score 0.751, 95 % interval 0.600 to 0.900: the "
        "rank correlation of predicted and true losses of 50 networks, each "
        "trained without 10 % of the examples.",
        "Wrong labels: area under the ROC curve 0.916",
        "Most harmful to valid: rows 5 (<b>), 6.",
        "Most helpful to valid: rows 1708 (Bag).",
        "mean of the validation examples · loss 0.2500"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
  CHECK(text.find("The score is low") == std::string::npos);
  CHECK(text.find("Not verified") == std::string::npos);
  CHECK(text.find("undefined") == std::string::npos);
}

TEST_CASE("a low score warns, and one that is not defined is not shown",
          "[report][attribute]") {
  Json results = attribution_results();
  results["verification"]["low"] = 0.1;
  CHECK_THAT(attribution_text(results), ContainsSubstring("The score is low"));
  for (const char* key : {"score", "low", "high"}) {
    results["verification"][key] = nullptr;
  }
  results["targets"][0].erase("wrong_labels_auc");
  results["targets_left_out"] = 4;
  const std::string text = attribution_text(results);
  CHECK_THAT(text, ContainsSubstring("score: not defined"));
  CHECK_THAT(text, ContainsSubstring("method unrolled, 5 targets."));
  CHECK_THAT(text, ContainsSubstring("4 more targets in attribution.csv"));
  CHECK(text.find("The score is low") == std::string::npos);
  CHECK(text.find("Wrong labels") == std::string::npos);
}

TEST_CASE("the page of a comparison has a line for each way and its course",
          "[report][black_box]") {
  const TemporaryFolder folder;
  folder.write("r.json", ridge_config().dump());
  const Ended ended = program(
      folder.path(""),
      "compare r.json --search random --budget 0.3 --seeds 2 --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json probe = page_of(folder, "out");
  const Json results = json_of(folder.path("out/results.json"));
  const Json& rows = probe["tables"]["Ways of out"];
  REQUIRE(rows.size() == 4);
  const Json* const chart = chart_of(probe, "validation loss");
  REQUIRE(chart != nullptr);
  CHECK((*chart)["x"] == "processor seconds");
  CHECK((*chart)["logarithmic_x"] == true);
  CHECK((*chart)["painted"] > 100);
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& way = results["ways"][i];
    const auto name = way["name"].get<std::string>();
    CAPTURE(name);
    CHECK(rows[i + 2][0] == name);
    CHECK(std::stod(rows[i + 2][2].get<std::string>()) ==
          Approx(way["valid_loss"]["mean"].get<double>()).epsilon(1e-3));
    const Json* const series = series_of(probe, "out", "validation loss", name);
    REQUIRE(series != nullptr);
    CHECK((*series)["last"] == way["course"]["valid_loss"].back());
  }
  CHECK(rows[1] == Json{"mean", "ratio", "ahead"});
  CHECK(probe["text"].get<std::string>().find("difference:") ==
        std::string::npos);
  CHECK(rows[3][4] == results["comparisons"][0]["ahead"]);
}

TEST_CASE("the page of a comparison tells who is ahead",
          "[report][black_box]") {
  const TemporaryFolder folder;
  write_results(folder, "out", "search.json", comparison_results());
  const Json probe = page_of(folder, "out", 500);
  CHECK(probe["scrolls_sideways"] == false);
  CHECK(probe["headings"] ==
        Json{"out", "Hypergradients and black-box search: out"});
  const Json& rows = probe["tables"]["Ways of out"];
  REQUIRE(rows.size() == 5);
  CHECK(rows[0] == Json{"way", "networks trained", "validation loss",
                        "validation accuracy"});
  CHECK(rows[1] ==
        Json{"mean", "ratio", "ahead", "mean", "difference", "ahead"});
  CHECK(rows[2] == Json{"hypergradients", "13", "0.2500(0.2000 to 0.9000)", "",
                        "", "50.00 %", "", ""});
  CHECK(rows[3] == Json{"random", "41", "0.7500(0.2000 to 0.9000)",
                        "-0.5000(-0.7500 to 0.2500)", "hypergradients",
                        "50.00 %", "-50.00 %(-75.00 % to 25.00 %)", "random"});
  CHECK(rows[4][4] == "undecided");
  CHECK(rows[4][7] == "undecided");
  const auto text = probe["text"].get<std::string>();
  for (const char* part :
       {"3 numbers to tune, 10 processor seconds for each way with each seed, "
        "2 seeds.",
        "Validation loss: hypergradients ahead of random; undecided between "
        "hypergradients and optuna.",
        "ratio: hypergradients divided by this search, of geometric means; "
        "undecided where its interval includes 1; difference: hypergradients "
        "less this search; undecided where its interval includes 0",
        "random, seed 2: diverged before the time was used up"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
  CHECK(chart_of(probe, "validation accuracy") != nullptr);
}

TEST_CASE("a page of what has not ended says how it goes on",
          "[report][attribute][black_box]") {
  const TemporaryFolder folder;
  for (const auto& [settings, what] : std::map<std::string, std::string>{
           {"attribute.json", "attribution"}, {"search.json", "comparison"}}) {
    CAPTURE(settings);
    fs::create_directory(folder.path(what));
    folder.write(what + "/" + settings, "{}");
    const Ended begun = program(folder.path(""), "report " + what);
    CHECK(begun.code == 2);
    CHECK_THAT(begun.output,
               ContainsSubstring(fmt::format(
                   "{0}: this {0} has not ended and has no results yet; "
                   "'nestgrad resume {0}' continues it",
                   what)));
    for (const char* damaged : {"{\"ways\": ", "{}", "{\"targets\": 1}"}) {
      folder.write(what + "/results.json", damaged);
      const Ended ended = program(folder.path(""), "report " + what);
      CHECK(ended.code == 2);
      CHECK_THAT(ended.output,
                 ContainsSubstring(what + "/results.json: is damaged"));
    }
    CHECK_FALSE(file_exists(folder.path(what + "/report.html")));
  }
}

TEST_CASE("a page has room for folders of several kinds",
          "[report][attribute][black_box][sweep]") {
  const TemporaryFolder folder;
  run_shortened(folder, "ridge_ift", "ridge");
  write_results(folder, "influence", "attribute.json", attribution_results());
  fs::copy(folder.path("ridge/trajectory.png"),
           folder.path("influence/attribution.png"));
  write_results(folder, "search", "search.json", comparison_results());
  Json sweep = small_sweep();
  sweep["seeds"] = 1;
  sweep["config"]["outer"]["steps"] = 3;
  folder.write("s.json", sweep.dump());
  REQUIRE(program(folder.path(""), "sweep s.json --quiet --out swept").code ==
          0);
  const Json probe = page_of(folder, "ridge influence/ search swept");
  const Json& headings = probe["headings"];
  CHECK(headings[0] == "swept, influence, search, ridge");
  CHECK(headings[1] == "Sweep swept");
  CHECK(headings[2] == "Attribution influence");
  CHECK(headings[3] == "Hypergradients and black-box search: search");
  CHECK(contains(headings, "ridge"));
  CHECK(probe["headings_of_pictures"] == Json{"Attribution influence"});
  CHECK(probe["images"] == 1);
  CHECK(series_of(probe, "ridge", "validation loss", "outer loss") != nullptr);
  CHECK(series_of(probe, "search", "validation loss", "optuna") != nullptr);
  CHECK(probe["tables"].contains("Trials of swept"));
  const std::string page = read_file(folder.path("page.html"));
  CHECK_THAT(
      page, ContainsSubstring("<title>nestgrad: swept influence search ridge"));
}

}  // namespace nestgrad
