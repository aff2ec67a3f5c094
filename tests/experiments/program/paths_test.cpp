// Where the files are looked for that a configuration names.

#include <filesystem>

#include "core/config/config.h"
#include "core/platform/files.h"
#include "tests/experiments/run/small_run.h"
#include "tests/experiments/sweep/small_sweep.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// Points of two classes; other points for another `shift`.
std::string table(double shift) {
  std::string text = "x,y,class\n";
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{},{},{}\n", shift + i % 7 + 3 * (i % 2), i % 5,
                        i % 2 == 0 ? "a" : "b");
  }
  return text;
}

/// A run of `steps` outer steps on data/points.csv.
Json reading(std::int64_t steps) {
  Json config = small(steps);
  config["problem"]["data"] = {{"type", "csv"},
                               {"file", "data/points.csv"},
                               {"train", 15},
                               {"valid", 15},
                               {"test", 10}};
  return config;
}

/// A project in a folder of its own, next to an empty one.
class Project {
 public:
  Project() {
    for (const char* name :
         {"project/data", "project/configs/data", "elsewhere"}) {
      fs::create_directories(folder.path(name));
    }
    folder.write("project/configs/a.json", reading(6).dump());
  }

  Ended at(const std::string& where, const std::string& arguments) const {
    return program(folder.path(where), arguments);
  }

  Json lines(const std::string& run) const {
    Json out = parse_json_lines(read_file(folder.path(run + "/metrics.jsonl")));
    for (Json& line : out) {
      for (const char* key : {"seconds", "estimate_seconds", "tensor_mib"}) {
        line.erase(key);
      }
    }
    return out;
  }

  std::string weights(const std::string& run) const {
    return read_file(folder.path(run + "/weights.safetensors"));
  }

  TemporaryFolder folder;
};

/// Runs the project's experiment in the folder `whole`, and its first half in
/// the folder `run`.
void make_whole_and_half(const Project& project) {
  project.folder.write("project/data/points.csv", table(0));
  const std::string run = "run configs/a.json -qq --out ";
  REQUIRE(project.at("project", run + "whole").code == 0);
  REQUIRE(project.at("project", run + "run --set outer.steps=3").code == 0);
}

}  // namespace

TEST_CASE("a path is seen from the first folder that has it", "[paths]") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path("a"));
  fs::create_directories(folder.path("b"));
  folder.write("b/x", "");
  const std::vector<std::string> both{folder.path("a"), folder.path("b")};
  CHECK(found_in(both, "x") == folder.path("b/x"));
  CHECK(found_in({folder.path("a")}, "x").empty());
  CHECK(found_in({}, folder.path("b/x")) == folder.path("b/x"));
  folder.write("a/x", "");
  CHECK(found_in(both, "x") == folder.path("a/x"));

  const Json json = {{"inner", {{"file", "y"}, {"there", "x"}}}};
  const Config config = Config(json, "", both).object("inner");
  CHECK(config.path("there") == folder.path("a/x"));
  CHECK_THROWS_WITH(config.path("file"), "/inner/file: there is no 'y' in " +
                                             both[0] + " or in " + both[1]);
  CHECK(Config(json).object("inner").path("file") == "y");
}

TEST_CASE(
    "data are seen from the working folder, then from the configuration's",
    "[paths]") {
  const Project project;
  const Ended none = project.at("project", "run configs/a.json --out r0");
  CHECK(none.code == 2);
  CHECK_THAT(none.output,
             ContainsSubstring(
                 "a.json:1: /problem/data/file: there is no "
                 "'data/points.csv' in " +
                 fs::canonical(project.folder.path("project")).string()));
  project.folder.write("project/configs/data/points.csv", table(0));
  REQUIRE(project.at("project", "run configs/a.json -q --out r1").code == 0);
  // The same files, from elsewhere.
  REQUIRE(
      project.at("elsewhere", "run ../project/configs/a.json --out r1").code ==
      0);
  CHECK(project.lines("elsewhere/r1") == project.lines("project/r1"));
  // The working folder comes first.
  project.folder.write("project/data/points.csv", table(5));
  REQUIRE(project.at("project", "run configs/a.json --out r2").code == 0);
  CHECK(project.lines("project/r2") != project.lines("project/r1"));
  REQUIRE(project
              .at("elsewhere",
                  "run ../project/configs/a.json --out r2 --paths-from "
                  "../project")
              .code == 0);
  CHECK(project.lines("elsewhere/r2") == project.lines("project/r2"));
  // What is recorded is what was written.
  CHECK(json_of(project.folder.path("project/r2/config.json")) ==
        json_of(project.folder.path("elsewhere/r2/config.json")));
  CHECK(json_of(project.folder.path(
            "project/r2/config.json"))["problem"]["data"]["file"] ==
        "data/points.csv");
  // --set means what the shell sees.
  project.folder.write("elsewhere/own.csv", table(5));
  REQUIRE(project
              .at("elsewhere",
                  "run ../project/configs/a.json --out r3 --set "
                  "problem.data.file=own.csv")
              .code == 0);
  CHECK(project.lines("elsewhere/r3") == project.lines("project/r2"));
}

TEST_CASE("a run is resumed and reported from any folder, byte by byte",
          "[paths][resume]") {
  const Project project;
  make_whole_and_half(project);
  const Ended ended =
      project.at("elsewhere", "resume ../project/run --set outer.steps=6");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK(project.weights("project/run") == project.weights("project/whole"));
  CHECK(json_of(project.folder.path("project/run/config.json")) ==
        json_of(project.folder.path("project/whole/config.json")));
  CHECK(project.at("elsewhere", "report ../project/run").code == 0);
  CHECK(fs::exists(project.folder.path("project/run/report.html")));
  CHECK(
      project.at("elsewhere", "export ../project/run --tensorboard tb").code ==
      0);
  // Its configuration can be run again from anywhere, too.
  REQUIRE(project.at("elsewhere", "run ../project/whole/config.json --out r")
              .code == 0);
  CHECK(project.weights("elsewhere/r") == project.weights("project/whole"));
  // After the project was moved, the folders that were recorded are gone.
  REQUIRE(project.at("project", "run configs/a.json -qq --set outer.steps=3")
              .code == 0);
  fs::rename(project.folder.path("project"), project.folder.path("moved"));
  REQUIRE(
      project.at("elsewhere", "resume ../moved/runs/a-1 --set outer.steps=6")
          .code == 0);
  CHECK(project.weights("moved/runs/a-1") == project.weights("moved/whole"));
}

TEST_CASE("a run that recorded no folders is resumed where it began",
          "[paths][resume]") {
  const Project project;
  make_whole_and_half(project);
  Json facts = json_of(project.folder.path("project/run/run.json"));
  REQUIRE(facts.erase("paths_from") == 1);
  project.folder.write("project/run/run.json", facts.dump());
  CHECK(project.at("elsewhere", "resume ../project/run --set outer.steps=6")
            .code == 2);
  REQUIRE(project.at("project", "resume run --set outer.steps=6").code == 0);
  CHECK(project.weights("project/run") == project.weights("project/whole"));
}

TEST_CASE("a sweep finds the data of its configuration, resumed elsewhere, too",
          "[paths][sweep]") {
  const Project project;
  project.folder.write("project/configs/data/points.csv", table(0));
  project.folder.write(
      "project/s.json",
      Json{{"config", "configs/a.json"},
           {"vary", {{"outer.lr", {{"values", {0.01, 0.05}}}}}}}
          .dump());
  const Ended ended =
      project.at("elsewhere", "sweep ../project/s.json --out s");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  for (const Json& entry : entries(project.folder.path("elsewhere/s"))) {
    CHECK(entry["code"] == 0);
  }
  // One run is to be made again, from another folder.
  fs::remove_all(project.folder.path("elsewhere/s/trial-0002-seed-1"));
  fs::remove(project.folder.path("elsewhere/s/runs.jsonl"));
  REQUIRE(project.at("project/data", "resume ../../elsewhere/s").code == 0);
  for (const Json& entry : entries(project.folder.path("elsewhere/s"))) {
    CHECK(entry["code"] == 0);
  }
  CHECK(project.at("project/data", "report ../../elsewhere/s").code == 0);
}

TEST_CASE("a script of Python is run, resumed and exported from any folder",
          "[paths][torchscript]") {
  const Project project;
  project.folder.write("project/data/points.csv", table(0));
  project.folder.write("write.py",
                       "import sys, torch\n"
                       "torch.manual_seed(1)\n"
                       "net = torch.nn.Sequential(torch.nn.Linear(2, 2))\n"
                       "torch.jit.script(net).save(sys.argv[1])\n");
  REQUIRE(shell(project.folder.path(""),
                "/usr/bin/python3 write.py project/configs/net.pt")
              .code == 0);
  Json config = reading(3);
  config["problem"]["model"] = {{"type", "torchscript"}, {"file", "net.pt"}};
  project.folder.write("project/configs/b.json", config.dump());
  const Ended ended = project.at("project", "run configs/b.json --out r");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK(
      project.at("elsewhere", "resume ../project/r --set outer.steps=4").code ==
      0);
  REQUIRE(project.at("elsewhere", "export ../project/r --torchscript out.pt")
              .code == 0);
  CHECK(fs::file_size(project.folder.path("elsewhere/out.pt")) > 0);
}

}  // namespace nestgrad
