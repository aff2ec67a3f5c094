#include <filesystem>

#include "core/platform/files.h"
#include "tests/experiments/plot/picture.h"
#include "tests/experiments/problems/clusters.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Json distillation() {
  Json config = {
      {"problem", clusters(6, {{"type", "random"}})},
      {"hyperparameters",
       {{"inputs", Json::object()}, {"labels", Json::object()}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
      {"estimator", {{"type", "unrolled"}, {"window", 20}, {"horizon", 20}}},
      {"outer", {{"type", "adam"}, {"lr", 0.05}, {"steps", 60}}},
      {"record",
       {{"networks", 3},
        {"checkpoint", {{"minutes", 0}}},
        {"other_models", {{{"type", "mlp"}, {"hidden", {8}}}}}}}};
  config["problem"]["baselines"] = {"random", "class_mean"};
  return config;
}

/// One outer step from the examples of a file.
Json from_file(const std::string& path) {
  Json config = distillation();
  config["problem"]["start"] = {{"type", "file"}, {"file", path}};
  config["problem"]["baselines"] = Json::array();
  config["record"]["other_models"] = Json::array();
  config["outer"]["steps"] = 1;
  config["record"]["retrain"] = 20;
  return config;
}

/// What distillation() prints and its summary; it runs in the folder "a".
std::pair<std::string, Json> distilled(const TemporaryFolder& folder) {
  folder.write("d.json", distillation().dump());
  const Ended ended = program(folder.path(""), "run d.json --out a");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  return {ended.output, Json::parse(read_file(folder.path("a/summary.json")))};
}

double accuracy(const Json& run) { return run["test_accuracy"].get<double>(); }

/// Accuracies on the test data.
struct Learned {
  double joint;      // by the weights that were trained along
  double retrained;  // by new weights, from what was found
};

/// Runs configs/NAME.json for this number of outer steps. A long run in warm
/// start enlarges rounding, which differs between processors, until nothing is
/// left to compare with: after all its steps distill_one_point has a joint
/// accuracy of 0.75 on one processor and 0.99 on another. So few steps are
/// taken.
Learned learned(const std::string& name, int steps) {
  const TemporaryFolder folder;
  const Ended ended =
      program(folder.path(""),
              fmt::format("run '{}/configs/{}.json' --quiet --out out "
                          "--set outer.steps={} --set record.retrain=500",
                          NESTGRAD_SOURCE_DIR, name, steps));
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json gap =
      Json::parse(read_file(folder.path("out/summary.json")))["warm_cold_gap"];
  return {gap["joint"].get<double>(), gap["retrained"].get<double>()};
}

}  // namespace

TEST_CASE("the last images are drawn over time when a budget ends a run",
          "[distillation]") {
  const TemporaryFolder folder;
  /// The width in columns of images, which are 124 pixels apart.
  const auto columns = [&](const std::string& name, const std::string& more) {
    const Ended ended = program(
        folder.path(""),
        fmt::format("run '{}/configs/distill_logistic.json' --quiet --out {} "
                    "--set problem.data.train=100 --set problem.data.valid=50 "
                    "--set record.retrain=0 --set estimator.window=2 "
                    "--set estimator.horizon=2 --set outer.select=last {}",
                    NESTGRAD_SOURCE_DIR, name, more));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    return Picture(folder.path(name + "/distilled_over_time.png")).width() /
           124;
  };
  // 0, 1, 2, 4 and here also the 5 at which the budget ends it.
  const int four = columns("four", "--set outer.steps=4");
  CHECK(columns("five", "--set outer.steps=5") == four + 1);
  CHECK(columns("budget",
                "--set outer.steps=90 --set outer.stop.train_gradients=10") ==
        four + 1);
  CHECK(Json::parse(
            read_file(folder.path("budget/summary.json")))["outer_steps"] == 5);
}

TEST_CASE("a run of distillation tells what it found", "[distillation]") {
  const TemporaryFolder folder;
  const auto [output, summary] = distilled(folder);
  for (const char* words :
       {"MiB of tensors, about", "retrained, found", "other model, mlp",
        "baseline, class_mean", " ± ", "warm/cold gap"}) {
    CHECK_THAT(output, ContainsSubstring(words));
  }
  CHECK(summary["baselines"].size() == 2);
  CHECK(summary["other_models"][0]["model"] == "mlp");
  CHECK(summary["retrained_found"]["deviation"].contains("test_loss"));
  CHECK(summary["retrained_found"]["test_loss"].get<double>() <
        summary["retrained_start"]["test_loss"].get<double>());
  const Json& gap = summary["warm_cold_gap"];
  CHECK(gap["metric"] == "test_accuracy");
  CHECK(gap["joint"].get<double>() == accuracy(summary["tuned"]));
  CHECK(gap["retrained"].get<double>() == accuracy(summary["retrained_found"]));
  CHECK(gap["gap"].get<double>() ==
        Approx(gap["joint"].get<double>() - gap["retrained"].get<double>()));
}

TEST_CASE("a run of distillation leaves what a later run can train on",
          "[distillation]") {
  const TemporaryFolder folder;
  const Json summary = distilled(folder).second;
  // The file, in the units of the source and not of the prepared inputs, is the
  // hyperparameters found.
  Json again = from_file(folder.path("a/distilled.npz"));
  folder.write("again.json", again.dump());
  const Ended later = program(folder.path(""), "run again.json --out b");
  CAPTURE(later.output);
  REQUIRE(later.code == 0);
  const Json repeated = Json::parse(read_file(folder.path("b/summary.json")));
  CHECK(repeated["retrained_start"]["test_loss"].get<double>() ==
        Approx(summary["retrained_found"]["test_loss"].get<double>())
            .epsilon(1e-3));

  // Constant, they are a training set like any other.
  again["hyperparameters"] = {{"inputs", {{"tuned", false}}}};
  again["estimator"] = {{"window", 20}};
  folder.write("plain.json", again.dump());
  const Ended trained = program(folder.path(""), "run plain.json --out p");
  CAPTURE(trained.output);
  CHECK(trained.code == 0);
  CHECK_THAT(trained.output, ContainsSubstring("plain training"));
  CHECK(accuracy(Json::parse(
            read_file(folder.path("p/summary.json")))["tuned"]) > 0.8);
}

TEST_CASE("mistakes of a distillation are told before the run",
          "[distillation]") {
  const TemporaryFolder folder;
  folder.write("again.json", from_file(folder.path("none.npz")).dump());
  const Ended missing = program(folder.path(""), "run again.json --out c");
  CHECK(missing.code == 2);
  CHECK_THAT(missing.output, ContainsSubstring("/problem/start") &&
                                 ContainsSubstring("there is no such file"));
  Json config = distillation();
  config["record"]["other_models"] = {{{"type", "cnn"}}};
  folder.write("wrong.json", config.dump());
  const Ended wrong = program(folder.path(""), "run wrong.json --out d");
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.output, ContainsSubstring("/record/other_models/0"));
}

TEST_CASE("ten learned images teach logistic regression more than real ones",
          "[distillation]") {
  // METHODS A3: 0.80 where ten real images give 0.43 and class means 0.68.
  const Json config =
      JsonFile::read(NESTGRAD_SOURCE_DIR "/configs/distill_logistic.json")
          .json();
  const TemporaryFolder folder;
  Json own = config;
  own["record"]["other_models"] = Json::array();
  folder.write("a.json", own.dump());
  const Ended ended = program(folder.path(""), "run a.json --quiet --out a");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json summary = Json::parse(read_file(folder.path("a/summary.json")));
  CHECK(accuracy(summary["retrained_found"]) > 0.80);
  CHECK(accuracy(summary["baselines"]["random"]) < 0.6);
  CHECK(accuracy(summary["baselines"]["class_mean"]) < 0.75);
  CHECK(std::filesystem::file_size(folder.path("a/distilled_over_time.png")) >
        1000);
}

TEST_CASE(
    "images that are good for weights that were trained along with them do not "
    "teach others, and those of cold starts do",
    "[distillation]") {
  // METHODS C3. Measured with the kernels of OpenBLAS and LibTorch for three
  // kinds of processors: warm, 0.736 to 0.743 jointly and a gap of 0.41 to
  // 0.42, 0.25 to 0.27 and 0.32 to 0.34 with the three seeds; cold, gaps of
  // -0.01 to 0.01 and 0.73 to 0.77 for new weights. Here, the first seed.
  const Learned warm = learned("distill_warm", 600);
  const Learned cold = learned("distill_cold", 40);
  CAPTURE(warm.joint, warm.retrained, cold.joint, cold.retrained);
  CHECK(warm.joint > 0.70);
  CHECK(warm.joint - warm.retrained > 0.2);
  CHECK(cold.retrained > 0.65);
  CHECK(std::abs(cold.joint - cold.retrained) < 0.05);
}

TEST_CASE(
    "one point teaches weights trained along with it two of three classes",
    "[distillation]") {
  // New weights have about one answer for all. Whether and when the others
  // learn the third class differs between processors. Measured on three kinds
  // of them with three seeds: 0.67 to 0.72 jointly and 0.30 to 0.36 for new
  // weights. Here, the first seed.
  const Learned point = learned("distill_one_point", 2000);
  CAPTURE(point.joint, point.retrained);
  CHECK(point.joint > 0.6);
  CHECK(point.retrained < 0.4);
}

}  // namespace nestgrad
