#include <filesystem>
#include <fstream>

#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/run/difference.h"
#include "experiments/setup/experiment.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/shortened.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

namespace fs = std::filesystem;

TEST_CASE("the same seed gives the same run and another one does not",
          "[experiment]") {
  const TemporaryFolder folder;
  folder.write(
      "a.json",
      shortened(
          JsonFile::read(NESTGRAD_SOURCE_DIR "/configs/quickstart.json").json())
          .dump());
  const auto run = [&](const std::string& name, const std::string& options) {
    REQUIRE(program(folder.path(""),
                    "run a.json --quiet --out " + name + " " + options)
                .code == 0);
    std::vector<Json> lines = lines_of(folder.path(name + "/metrics.jsonl"));
    for (Json& line : lines) {
      line.erase("seconds");
      line.erase("estimate_seconds");
    }
    return lines;
  };
  const auto first = run("one", "");
  CHECK(run("two", "") == first);
  CHECK(run("three", "--seed 2") != first);
  CHECK(read_file(folder.path("one/weights.safetensors")) ==
        read_file(folder.path("two/weights.safetensors")));
}

TEST_CASE("tuning ridge finds what is better than the start", "[experiment]") {
  const TemporaryFolder folder;
  folder.write("ridge.json", ridge_config().dump());
  const Ended ended = program(folder.path(""), "run ridge.json");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("retrained, found"));
  const std::string run = folder.path("runs/ridge-1/");
  const Json summary = Json::parse(read_file(run + "summary.json"));
  CHECK(summary["termination"] == "finished");
  CHECK(summary["retrained_found"]["valid_loss"].get<double>() <
        0.95 * summary["retrained_start"]["valid_loss"].get<double>());
  // 20 windows of 20 steps, one more gradient each, and two final runs of three
  // networks.
  CHECK(summary["train_gradients"] == 20 * 21 + 2 * 3 * 50);
  CHECK(summary["verdict"]["outcome"] == "better");
  CHECK(summary["hessian_products"].get<int>() > 100);

  const Json found = Json::parse(read_file(run + "hyperparameters.json"));
  const ParameterSet stored =
      load_safetensors(run + "hyperparameters.safetensors");
  REQUIRE(found["weight_decay"].size() == 12);
  for (int i = 0; i < 12; ++i) {
    CHECK(found["weight_decay"][static_cast<std::size_t>(i)].get<double>() ==
          stored.at("weight_decay")[i].item<double>());
  }
  // A second run takes the next free folder.
  CHECK(program(folder.path(""), "run ridge.json --quiet").code == 0);
  CHECK(fs::exists(folder.path("runs/ridge-2/summary.json")));
}

TEST_CASE("mistakes end with exit code 2, one sentence each and no folder",
          "[experiment]") {
  const TemporaryFolder folder;
  const auto config = [&](const std::string& name, const Json& patch) {
    Json json = ridge_config();
    json.merge_patch(patch);
    folder.write(name, json.dump(2));
  };
  config("typo.json", {{"estimator", {{"windw", 3}}}, {"inner", {{"lr", -1}}}});
  config("reference.json", {{"inner", {{"lr", "$rate"}}}});
  config("unused.json", {{"hyperparameters", {{"decay", {{"initial", 1}}}}}});
  config("cut.json", {{"estimator", {{"window", 7}, {"horizon", 10}}}});
  config("outer.json", {{"outer", {{"lr", "$weight_decay"}}}});
  config("data.json",
         {{"problem",
           {{"type", "classification"},
            {"data", {{"type", "fashion_mnist"}, {"folder", "/nowhere"}}}}}});
  config("good.json", Json::object());
  folder.write("broken.json", "{\n\"seed\": }");
  fs::create_directory(folder.path("used"));
  folder.write("used/file", "x");

  const auto check = [&](const std::string& arguments,
                         const std::vector<std::string>& says) {
    CAPTURE(arguments);
    const Ended ended = program(folder.path(""), arguments);
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    for (const std::string& text : says) {
      CHECK_THAT(ended.output, ContainsSubstring(text));
    }
    CHECK(ended.output.find("terminate") == std::string::npos);
    CHECK_FALSE(fs::exists(folder.path("runs")));
  };
  check("run typo.json", {"/estimator/windw: ", "did you mean 'window'?",
                          "/inner/lr: must be at least 0, is -1"});
  check("run reference.json", {"\"$rate\"", "there is no hyperparameter"});
  check("run unused.json",
        {"unused.json:", "/hyperparameters/decay", "neither the problem"});
  check("run cut.json", {"/estimator/horizon: must be 0 or a multiple"});
  check("run outer.json", {"/outer: \"$weight_decay\""});
  check("run data.json", {"/problem/data", "/nowhere"});
  check("run broken.json", {"line 2, column 9 of broken.json"});
  check("run missing.json", {"missing.json"});
  check("run good.json --out used", {"used: already contains files"});
  check("run good.json --out typo.json", {"typo.json: is not a folder"});
  check("run good.json --out /proc/nestgrad", {"cannot create this folder"});
  check("run good.json --set outer.steps", {"expected path=value"});
  check("run good.json --set outer.steps=0", {"--set: /outer/steps"});
  check("run good.json --set device=hip",
        {"/device: there is no device 'hip'"});
  check("run", {"config"});
  check("walk good.json", {"walk"});
  check("list estimator", {"there is no list of 'estimator'"});
  check("explain windw", {"did you mean 'window'?"});
}

TEST_CASE(
    "numbers that are not finite end a run with exit code 3 and its files are "
    "kept",
    "[experiment]") {
  const TemporaryFolder folder;
  Json config = ridge_config();
  config["inner"]["lr"] = 5;  // above 2 / (largest eigenvalue)
  config["estimator"]["window"] = 40;
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json");
  CAPTURE(ended.output);
  CHECK(ended.code == 3);
  CHECK_THAT(ended.output, ContainsSubstring("diverged: the validation loss"));
  const Json summary =
      Json::parse(read_file(folder.path("runs/a-1/summary.json")));
  CHECK(summary["termination"] == "diverged");
  CHECK_THAT(summary["message"].get<std::string>(),
             ContainsSubstring("outer step"));
  const auto steps = summary["outer_steps"].get<std::size_t>();
  CHECK(steps > 0);
  // The estimate that cannot be followed has a line, too.
  const auto lines = lines_of(folder.path("runs/a-1/metrics.jsonl"));
  REQUIRE(lines.size() == 1 + steps + 1);  // the start has one as well
  CHECK(lines.back()["status"] == "diverged");
  CHECK_THAT(lines.back()["trouble"].get<std::string>(),
             ContainsSubstring("the validation loss is"));
  CHECK(lines.back().contains("products"));
  CHECK(lines[1]["status"] == "ok");
  CHECK(all_finite(
      load_safetensors(folder.path("runs/a-1/hyperparameters.safetensors"))));
}

TEST_CASE("an interrupted run keeps its files and says which signal",
          "[experiment]") {
  const TemporaryFolder folder;
  Json config = ridge_config();
  config["outer"]["steps"] = 1000000;
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json",
                              "timeout --preserve-status -s INT 5");
  CAPTURE(ended.output);
  CHECK(ended.code == 130);
  const Json summary =
      Json::parse(read_file(folder.path("runs/a-1/summary.json")));
  CHECK(summary["termination"] == "stopped");
  CHECK(lines_of(folder.path("runs/a-1/metrics.jsonl")).size() ==
        1 + summary["outer_steps"].get<std::size_t>());
}

}  // namespace nestgrad
