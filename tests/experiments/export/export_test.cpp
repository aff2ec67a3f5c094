#include "core/platform/files.h"
#include "experiments/export/tensorboard.h"
#include "experiments/record/json_lines.h"
#include "experiments/sweep/sweep_record.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

TEST_CASE("Optuna reads the journal of a sweep", "[sweep]") {
  const TemporaryFolder folder;
  Json sweep = small_sweep();
  sweep["vary"] = {
      {"outer.lr", {{"low", 0.01}, {"high", 0.1}, {"scale", "log"}}},
      {"estimator.window", {{"low", 2}, {"high", 9}, {"whole", true}}},
      {"inner", {{"values", {"sgd", {{"type", "sgd"}, {"lr", 1e9}}}}}}};
  sweep["search"] = {{"type", "random"}, {"trials", 6}};
  sweep["seeds"] = 1;
  folder.write("s.json", sweep.dump());
  REQUIRE(program(folder.path(""), "sweep s.json --quiet --out out").code == 0);
  REQUIRE(program(folder.path(""), "export out --optuna journal.log").code ==
          0);
  const Ended ended = shell(
      folder.path(""), "/usr/bin/python3 " NESTGRAD_SOURCE_DIR
                       "/tests/experiments/export/read_journal.py journal.log");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json study = Json::parse(ended.output)["out"];
  CHECK(study["direction"] == "MINIMIZE");
  const SweepRecord record = read_sweep(folder.path("out"));
  REQUIRE(study["trials"].size() == 6);
  bool complete = false, failed = false;
  for (std::size_t i = 0; i < 6; ++i) {
    const Json& trial = study["trials"][i];
    const TrialRecord& expected = record.trials[i];
    CHECK(trial["name"] == expected.name);
    for (const auto& [key, value] : expected.values) {
      const Json& read = trial["params"][key];
      if (value.is_structured()) {
        CHECK(read == value.dump());
      } else {
        CHECK(read == value);
      }
    }
    const SweepEntry& run = expected.runs.at(1);
    if (run.good()) {
      complete = true;
      CHECK(trial["state"] == "COMPLETE");
      CHECK(trial["value"] == run.metrics.at("valid_loss"));
      CHECK(trial["intermediate"] == 5);  // steps 0, 1, 2, 4 and 6
    } else {
      failed = true;
      CHECK(trial["state"] == "FAIL");
    }
  }
  CHECK(complete);
  CHECK(failed);
  CHECK(study["trials"][0]["distributions"]["outer.lr"] ==
        "FloatDistribution(high=0.1, log=True, low=0.01, step=None)");
  CHECK(program(folder.path(""), "export out").code == 2);
  CHECK(program(folder.path(""), "export out/trial-0001-seed-1 --optuna j.log")
            .code == 2);
}

TEST_CASE("an event file of a run is what TensorBoard reads", "[sweep]") {
  const TemporaryFolder folder;
  folder.write("a.json", small_sweep()["config"].dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  REQUIRE(program(folder.path(""), "export run/ --tensorboard tb").code == 0);
  const Ended ended =
      shell(folder.path(""),
            "/usr/bin/python3 " NESTGRAD_SOURCE_DIR
            "/tests/experiments/export/read_events.py tb/run/events*");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json events = Json::parse(ended.output);
  CHECK(events["version"] == "brain.Event:2");
  const auto lines =
      parse_json_lines(read_file(folder.path("run/metrics.jsonl")));
  REQUIRE(events["steps"].size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json& event = events["steps"][i];
    CHECK(event["step"] == lines[i]["step"]);
    CHECK(event["wall_time"].get<double>() - events["start"].get<double>() ==
          Approx(lines[i]["seconds"].get<double>()).margin(1e-3));
    CHECK(event["values"].contains("evaluated/valid_loss") ==
          (i == 1 || i % 2 == 0));
    if (i == 0) continue;  // the start has no estimate
    CHECK(event["values"]["outer_loss"].get<double>() ==
          Approx(lines[i]["outer_loss"].get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("runs of the same name have event files of their own", "[sweep]") {
  const TemporaryFolder folder;
  folder.write("a.json", small_sweep()["config"].dump());
  const auto events = [&](const std::string& run) {
    const Ended ended =
        program(folder.path(""), "export " + run + " --tensorboard tb");
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    const std::string begin = "Event files are in ";
    REQUIRE(ended.output.rfind(begin, 0) == 0);
    return ended.output.substr(begin.size(),
                               ended.output.size() - begin.size() - 1);
  };
  for (const char* run : {"x/r", "y/r --seed 2"}) {
    REQUIRE(
        program(folder.path(""), std::string("run a.json --quiet --out ") + run)
            .code == 0);
  }
  CHECK(events("x/r") == "tb/r");
  CHECK(events("y/r") == "tb/r-2");
  // Written again, each replaces its own file.
  CHECK(events("./y/r/") == "tb/r-2");
  CHECK(events("x/r") == "tb/r");
  for (const char* place : {"tb/r", "tb/r-2"}) {
    const std::vector<std::string> names = names_in(folder.path(place));
    REQUIRE(names.size() == 1);
    CHECK(read_file(folder.path(std::string(place) + "/" + names[0])) ==
          tensorboard_events(
              folder.path(place == std::string("tb/r") ? "x/r" : "y/r")));
  }
}

}  // namespace nestgrad
