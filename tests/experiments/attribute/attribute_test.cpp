#include "experiments/attribute/attribute.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "core/platform/files.h"
#include "core/platform/memory_meter.h"
#include "experiments/attribute/target.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/setup/experiment.h"
#include "hypergrad/attribution.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// Linear regression on a table of 40 rows.
void write_table(const TemporaryFolder& folder) {
  std::string text = "a,b,c,target\n";
  const Tensor x = Key(4).normal(at::empty({40, 3}, at::kDouble));
  const Tensor noise = Key(5).normal(at::empty({40}, at::kDouble));
  for (int i = 0; i < 40; ++i) {
    const auto at = [&](int j) { return x[i][j].item<double>(); };
    text += fmt::format("{},{},{},{}\n", at(0), at(1), at(2),
                        at(0) - at(1) + noise[i].item<double>());
  }
  folder.write("t.csv", text);
  const Json config = {
      {"precision", "float64"},
      {"problem",
       {{"type", "supervised"},
        {"data",
         {{"type", "csv"},
          {"file", "t.csv"},
          {"target", "target"},
          {"targets", "numbers"},
          {"valid", 10},
          {"test", 10}}},
        {"loss", "squared_error"},
        {"model", "logistic"},
        {"batch", 5}}},
      {"hyperparameters", {{"weight_decay", {{"initial", 0.1}}}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.02}, {"momentum", 0.5}}},
      {"estimator", {{"type", "unrolled"}, {"window", 40}, {"horizon", 40}}},
      {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 3}}}};
  folder.write("c.json", config.dump());
}

Json results_in(const std::string& folder) {
  return Json::parse(read_file(folder + "/results.json"));
}

}  // namespace

TEST_CASE("an attribution predicts what training without some rows gives",
          "[attribute]") {
  const TemporaryFolder folder;
  write_table(folder);
  const Ended ended = program(
      folder.path(""),
      "attribute c.json --targets valid test:0-2 --verify 30 --out out");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json results = results_in(folder.path("out"));
  CHECK(results["training_examples"] == 20);
  CHECK(results["training_steps"] == 40);
  REQUIRE(results["targets"].size() == 4);
  CHECK(results["verification"]["score"] > 0.95);
  const auto arrays = read_npz(folder.path("out/attribution.npz"));
  const Tensor& influence = arrays.at("influence");
  REQUIRE(influence.sizes() == at::IntArrayRef{4, 20});
  const Json& worst = results["targets"][0]["most_harmful"][0];
  CHECK(worst["influence"] == influence[0].max().item<double>());
  const auto example = worst["example"].get<std::int64_t>();
  CHECK(worst["row"] == arrays.at("row")[example].item<std::int64_t>());
  // The row is that of the file: its target says so.
  const std::string line =
      shell(folder.path(""),
            fmt::format("sed -n {}p t.csv", worst["row"].get<int>() + 2))
          .output;
  const double target = std::stod(line.substr(line.rfind(',') + 1));
  CHECK(arrays.at("label").flatten()[example].item<double>() == Approx(target));
  CHECK(ended.output.find("linear datamodelling score") != std::string::npos);
}

TEST_CASE(
    "an attribution that was killed goes on, and ends with the same "
    "bytes",
    "[attribute]") {
  const TemporaryFolder folder;
  write_table(folder);
  const std::string command =
      "attribute c.json --targets valid test:0-2 --verify 6 -q --out ";
  REQUIRE(program(folder.path(""), command + "whole").code == 0);
  // What a kill between two networks leaves, and one in the middle of a line.
  fs::create_directory(folder.path("killed"));
  fs::copy(folder.path("whole/attribute.json"), folder.path("killed"));
  const std::string networks =
      read_file(folder.path("whole/verification.jsonl"));
  const std::size_t third = networks.find("\"network\":3");
  REQUIRE(third != std::string::npos);
  folder.write("killed/verification.jsonl", networks.substr(0, third + 20));
  REQUIRE(program(folder.path(""), "resume killed -q").code == 0);
  for (const char* name : {"attribution.npz", "attribution.csv", "results.json",
                           "verification.jsonl"}) {
    CAPTURE(name);
    CHECK(read_file(folder.path(std::string("killed/") + name)) ==
          read_file(folder.path(std::string("whole/") + name)));
  }
}

TEST_CASE(
    "planted wrong labels are among the harmful examples, and the losses "
    "of networks without some images are predicted",
    "[attribute]") {
  const TemporaryFolder folder;
  const std::string config =
      NESTGRAD_SOURCE_DIR "/configs/fashion_mnist_attribution.json";
  for (const std::string method : {"unrolled", "ift"}) {
    const Ended ended =
        program(folder.path(""),
                fmt::format("attribute {} --method {} --targets valid test:0-9 "
                            "--verify 100 --set threads=1 -q --out {}",
                            config, method, method));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    const Json results = results_in(folder.path(method));
    CHECK(results["targets"][0]["wrong_labels_auc"] > 0.85);
    const Json& score = results["verification"];
    WARN(method << ": score " << score["score"] << ", 95 % interval "
                << score["low"] << " to " << score["high"]);
    CHECK(score["networks"] == 100);
    CHECK(score["low"] < score["score"]);
    if (method == "unrolled") CHECK(score["score"] > 0.5);
    CHECK(file_exists(folder.path(method + "/attribution.png")));
  }
}

TEST_CASE("a plan of an attribution tells memory and time and writes nothing",
          "[attribute]") {
  const TemporaryFolder folder;
  write_table(folder);
  const Ended ended =
      program(folder.path(""), "attribute c.json --plan --verify 5");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("MiB of tensors") != std::string::npos);
  CHECK(ended.output.find("for 5 networks") != std::string::npos);
  CHECK(!fs::exists(folder.path("runs")));
}

TEST_CASE("the plan of an attribution foretells its memory", "[attribute]") {
  const TemporaryFolder folder;
  Json config = JsonFile::read(NESTGRAD_SOURCE_DIR
                               "/configs/fashion_mnist_attribution.json")
                    .json();
  config["threads"] = 1;
  folder.write("c.json", config.dump());
  const Ended ended = program(folder.path(""), "attribute c.json --plan");
  REQUIRE(ended.code == 0);
  const double told = std::stod(ended.output.substr(6));  // after "about "
  config["hyperparameters"]["weight_decay"]["tuned"] = false;
  config["hyperparameters"]["example_weight"] = {
      {"initial", 1}, {"per", "example"}, {"coordinates", "real"}};
  const Experiment experiment(experiment_config(config));
  const auto estimator =
      experiment.make_estimator(experiment_config(config).object("estimator"));
  const auto target = read_targets({"valid"}, experiment.problem()).front();
  const MemoryMeter memory;
  const auto pass =
      estimator->attribute({experiment.initial_hyper(),
                            experiment.retraining_key(),
                            experiment.retraining_steps(),
                            {target.function(experiment.problem())}});
  while (pass->advance()) {
  }
  CHECK(told == Approx(mebibytes(memory.peak())).epsilon(0.2));
}

TEST_CASE("what cannot be attributed is refused with a sentence",
          "[attribute]") {
  const TemporaryFolder folder;
  write_table(folder);
  const auto refused = [&](const std::string& arguments,
                           const std::string& why) {
    const Ended ended = program(folder.path(""), "attribute " + arguments);
    CAPTURE(arguments, ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.find(why) != std::string::npos);
    CHECK(!fs::exists(folder.path("runs")));
  };
  refused("c.json --method pes",
          "cannot attribute losses to examples; take --method ift or unrolled");
  refused("c.json --method unroled", "did you mean 'unrolled'?");
  refused("c.json --targets test:10", "there are 10 'test' examples");
  refused("c.json --set record.retrain=0", "--steps has to say how long");
  refused("c.json --verify 2", "at least 3 networks");
  refused(NESTGRAD_SOURCE_DIR "/configs/ridge_ift.json",
          "no weights of training examples");
}

}  // namespace nestgrad
