#include "experiments/record/json_lines.h"
#include "tests/experiments/report/probed.h"
#include "tests/experiments/run/small_run.h"
#include "tests/experiments/sweep/small_sweep.h"

namespace nestgrad {
namespace {

/// A folder of a run that has these lines of metrics.
void write_run(const TemporaryFolder& folder, const std::vector<Json>& lines) {
  std::filesystem::create_directory(folder.path("run"));
  folder.write("run/config.json", R"({"hyperparameters": {"d": {}}})");
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  folder.write("run/metrics.jsonl", text);
}

}  // namespace

TEST_CASE("a page begins with what was found and then says what it is worth",
          "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "quickstart", "decays");
  const Json probe = page_of(folder, "decays");
  CHECK(probe["headings"][1] == "Found");
  CHECK(probe["headings"][2] == "Results");
  const Json& rows = probe["tables"]["Hyperparameters of decays"];
  REQUIRE(rows.size() == 5);
  CHECK(rows[0] ==
        Json{"hyperparameter", "start", "found", "change", "meaning and unit"});
  const auto lines =
      parse_json_lines(read_file(folder.path("decays/metrics.jsonl")));
  const Json summary = json_of(folder.path("decays/summary.json"));
  const auto step = summary["selected"]["step"].get<std::size_t>();
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string name = fmt::format("weight_decay.{}", i);
    CHECK(rows[i + 1][0] == name);
    CHECK(rows[i + 1][1] == "1.000e-4");
    CHECK(std::stod(rows[i + 1][2].get<std::string>()) ==
          Approx(lines[step][name].get<double>()).epsilon(1e-3));
  }
  CHECK(rows[1][4] ==
        "Factor d of the penalty d w^2 / 2 on the weights. One number per "
        "tensor.");
  // It has moved by less than a factor of ten.
  CHECK((*chart_of(probe, "weight_decay"))["logarithmic"] == true);
}

TEST_CASE("a page marks the step that is handed out and tells the verdict",
          "[report]") {
  const TemporaryFolder folder;
  std::vector<Json> lines{{{"step", 0}, {"d", 1}, {"evaluated.valid_loss", 9}}};
  for (int i = 1; i <= 4; ++i) {
    lines.push_back({{"step", i},
                     {"outer_loss", 4 - i},
                     {"d", i},
                     {"evaluated.valid_loss", 5 - i}});
  }
  write_run(folder, lines);
  folder.write(
      "run/summary.json",
      Json{{"termination", "finished"},
           {"hyperparameters", {{"d", {{"start", 1}, {"found", 3.5}}}}},
           {"selected",
            {{"select", "best"},
             {"step", 3},
             {"metric", "valid_loss"},
             {"value", 2},
             {"evaluations", 5}}},
           {"verdict", {{"text", "Retrained <b> from scratch, better."}}}}
          .dump());
  const Json probe = page_of(folder, "run");
  const Json* const chart = chart_of(probe, "d");
  REQUIRE(chart != nullptr);
  CHECK((*chart)["marks"]["selected"] == Json{3});
  CHECK((*chart)["series"][0]["count"] == 5);  // the start included
  CHECK((*series_of(probe, "run", "validation loss", "outer loss"))["count"] ==
        4);
  CHECK(probe["tables"]["Hyperparameters of run"][1][2] == "3.500");
  const auto text = probe["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("Retrained <b> from scratch, better."));
  CHECK_THAT(text, ContainsSubstring("handed out: outer step 3 (best of 5 "
                                     "evaluations: validation loss 2)"));
  CHECK_THAT(text, ContainsSubstring("4 outer steps"));
}

TEST_CASE("charts name their axes, and training has charts of its own",
          "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "quickstart", "decays");
  const Json probe = page_of(folder, "decays");
  REQUIRE(probe["charts"].size() > 8);
  for (const Json& chart : probe["charts"]) {
    CAPTURE(chart.dump());
    CHECK(chart["x"] == "outer step");
    std::vector<std::string> labels;
    for (const Json& series : chart["series"])
      labels.push_back(series["label"]);
    if (std::count(labels.begin(), labels.end(), "train") > 0) {
      CHECK(labels.size() == 1);
    }
  }
  CHECK(series_of(probe, "decays", "training loss", "train") != nullptr);
  CHECK(series_of(probe, "decays", "training accuracy", "train") != nullptr);
  CHECK(series_of(probe, "decays", "validation loss", "test") != nullptr);
  const auto note = [&](const char* title) {
    return (*chart_of(probe, title))["note"].get<std::string>();
  };
  CHECK(note("time") == "seconds per estimate");
  CHECK(note("memory of tensors") == "MiB at the peak of an estimate");
  CHECK((*chart_of(probe, "memory of tensors"))["low"] == 0);
}

TEST_CASE("networks from scratch have charts, and their protocol is told",
          "[report]") {
  const TemporaryFolder folder;
  std::vector<Json> lines;
  for (int i = 0; i <= 3; ++i) {
    lines.push_back({{"step", i},
                     {"evaluated.fresh_valid_accuracy", 0.1 * i},
                     {"evaluated.fresh_test_accuracy", 0.1 * i + 0.05},
                     {"evaluated.fresh_valid_loss", 1 - 0.1 * i},
                     {"evaluated.fresh_train_loss", 0.5}});
  }
  write_run(folder, lines);
  folder.write("run/config.json",
               Json{{"hyperparameters", {{"d", Json::object()}}},
                    {"record",
                     {{"retrain", "auto"},
                      {"networks", 2},
                      {"protocol",
                       {{"type", "dc"},
                        {"model", {{"type", "convnet"}, {"width", 128}}},
                        {"networks", 5}}}}}}
                   .dump());
  folder.write("run/summary.json",
               Json{{"retrained_found", {{"test_accuracy", 0.35}}}}.dump());
  const Json probe = page_of(folder, "run");
  const Json* const test =
      series_of(probe, "run", "accuracy of fresh networks", "test");
  REQUIRE(test != nullptr);
  CHECK((*test)["first"] == 0.05);
  CHECK((*test)["count"] == 4);
  CHECK(series_of(probe, "run", "accuracy of fresh networks", "validation") !=
        nullptr);
  CHECK(series_of(probe, "run", "loss of fresh networks", "validation") !=
        nullptr);
  CHECK_THAT(probe["text"].get<std::string>(),
             ContainsSubstring("Networks from scratch are trained by the "
                               "protocol dc: model convnet, networks 2."));
}

TEST_CASE("labels of axes have the room that they need", "[report]") {
  const TemporaryFolder folder;
  std::vector<Json> lines;
  for (int i = 1; i <= 50; ++i) {
    lines.push_back({{"step", i},
                     {"outer_loss", 1},
                     {"tensor_mib", 227.684 + 1e-6 * i},
                     {"other", 123456.78901 + 1e-5 * i}});
  }
  write_run(folder, lines);
  const Json probe = page_of(folder, "run");
  REQUIRE(probe["charts"].size() == 3);
  for (const Json& chart : probe["charts"]) {
    CAPTURE(chart.dump());
    CHECK(chart["clipped"] == false);
  }
}

TEST_CASE("a page marks where a run was resumed", "[report]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(6).dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  REQUIRE(program(folder.path(""), "resume run --quiet --set outer.steps=10")
              .code == 0);
  const Json probe = page_of(folder, "run");
  CHECK((*chart_of(probe, "weight_decay"))["marks"]["lines"] == Json{6});
  const auto text = probe["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("resumed after outer step 6"));
  CHECK_THAT(text, ContainsSubstring("after outer step 6, with another "
                                     "outer.steps"));
  CHECK(text.find("undefined") == std::string::npos);
}

TEST_CASE("trouble is told in words and alarms only if it ended the run",
          "[report]") {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& status) {
    std::vector<Json> lines;
    for (int i = 1; i <= 5; ++i) {
      lines.push_back({{"step", i}, {"outer_loss", 1}, {"status", "ok"}});
    }
    lines[3]["status"] = status;
    lines[3]["trouble"] = "the terms grow <b>";
    write_run(folder, lines);
    folder.write(
        "run/summary.json",
        Json{{"termination", "budget"},
             {"message", "10 products are used up"},
             {"estimator", {{"trouble_means", "so few matter little"}}}}
            .dump());
    return page_of(folder, "run");
  };
  const Json approximate = with("not_converged");
  CHECK(approximate["warnings"].empty());
  CHECK(contains(approximate["troubles"], "1 estimate of 5 (outer step 4)"));
  CHECK(contains(approximate["troubles"], "the terms grow <b>"));
  CHECK(contains(approximate["troubles"], "So few matter little."));
  CHECK_THAT(approximate["text"].get<std::string>(),
             ContainsSubstring("10 products are used up"));
  const Json& marks = approximate["charts"][0]["marks"];
  CHECK(marks["troubles"] == Json::array({{{"x", 4}, {"grave", false}}}));

  const Json diverged = with("diverged");
  CHECK(contains(diverged["warnings"], "the terms grow <b>"));
  CHECK(diverged["charts"][0]["marks"]["troubles"][0]["grave"] == true);
}

TEST_CASE("a page shows a schedule over training steps", "[report]") {
  const TemporaryFolder folder;
  Json config = small(3);
  config["hyperparameters"] = {
      {"lr", {{"initial", 0.1}, {"per", "step"}, {"steps", 12}}}};
  config["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  config["estimator"] = {{"type", "unrolled"}, {"window", 12}, {"horizon", 12}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const Json probe = page_of(folder, "run");
  const Json* const chart = chart_of(probe, "lr");
  REQUIRE(chart != nullptr);
  CHECK((*chart)["x"] == "training step");
  CHECK((*chart)["logarithmic"] == true);
  CHECK_THAT((*chart)["note"].get<std::string>(),
             ContainsSubstring("Learning rate"));
  CHECK(chart_of(probe, "distribution of lr") == nullptr);
  const Json* const start = series_of(probe, "run", "lr", "start");
  const Json* const found = series_of(probe, "run", "lr", "found");
  REQUIRE((start != nullptr && found != nullptr));
  CHECK((*start)["count"] == 12);
  CHECK((*start)["first"].get<double>() == Approx(0.1));
  const Json values = json_of(folder.path("run/hyperparameters.json"))["lr"];
  CHECK((*found)["first"].get<double>() == Approx(values[0].get<double>()));
  CHECK((*found)["last"].get<double>() == Approx(values[11].get<double>()));
}

TEST_CASE(
    "the page of a sweep names trials by their values and shows the "
    "metric by each of them",
    "[report][sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["seeds"] = 1;
  sweep["config"]["outer"]["steps"] = 9;
  sweep["vary"] = {
      {"outer.lr", {{"low", 0.01}, {"high", 0.1}, {"scale", "log"}}},
      {"outer.type", {{"values", {"adam", "sgd"}}}}};
  sweep["search"] = {{"type", "sobol"}, {"trials", 4}};
  sweep["halving"] = {{"first", 3}, {"factor", 3}};
  folder.write("s.json", sweep.dump());
  REQUIRE(program(folder.path(""), "sweep s.json --quiet --out out").code == 0);
  const Json probe = page_of(folder, "out");
  CHECK(probe["headings"][0] == "out");
  CHECK(probe["headings"][1] == "Sweep out");
  const Json results = json_of(folder.path("out/results.json"));
  const Json& rows = probe["tables"]["Trials of out"];
  REQUIRE(rows.size() == 5);
  CHECK_THAT(rows[1][0].get<std::string>(), ContainsSubstring("lr 0.0"));
  for (const auto& [title, x] : std::map<std::string, std::string>{
           {"validation loss by lr", "outer.lr"},
           {"validation loss by type", "outer.type"}}) {
    const Json* const chart = chart_of(probe, title);
    REQUIRE(chart != nullptr);
    CHECK((*chart)["x"] == x);
    CHECK((*chart)["logarithmic_x"] == (x == "outer.lr"));
    CHECK((*chart)["series"][0]["count"] == 2);  // complete trials
    CHECK((*chart)["series"][1]["count"] == 2);  // given up before
  }
  // The section of the best run, by its values.
  const std::string lr = fmt::format(
      "{:.3g}", results["trials"][0]["values"]["outer.lr"].get<double>());
  CHECK(contains(probe["headings"], "lr=" + lr));
  CHECK(probe["scrolls_sideways"] == false);
}

}  // namespace nestgrad
