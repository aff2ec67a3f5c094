#include "experiments/setup/experiment.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/run/difference.h"
#include "tests/support/program.h"
#include "tests/support/shortened.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

Json ridge_config() {
  return {{"dtype", "float64"},
          {"problem", "ridge"},
          // Bounded, so that the learning rate stays below its limit.
          {"hyperparameters",
           {{"weight_decay", {{"per", "weight"}, {"coordinates", "logit"}}}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.4}}},
          {"estimator",
           {{"type", "ift"}, {"window", 20}, {"solver", "conjugate_gradient"}}},
          {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 20}}},
          {"record", {{"retrain", 50}}}};
}

std::vector<Json> lines_of(const std::string& path) {
  std::vector<Json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(Json::parse(line));
  }
  return lines;
}

}  // namespace

TEST_CASE("every configuration that is shipped runs and writes its files",
          "[experiment]") {
  std::vector<std::string> paths = shipped_configs();
  for (const std::string& path : shipped_configs("/configs/gpu")) {
    paths.push_back(path);
  }
  for (const std::string& path : paths) {
    CAPTURE(path);
    const JsonFile file = JsonFile::read(path);
    // Whole, it is valid; short, it runs.
    CHECK_NOTHROW(complete(experiment_schema(), file.json()));
    const TemporaryFolder folder;
    folder.write("short.json", shortened(file.json()).dump());
    const Ended ended = program(folder.path(""), "run short.json");
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    CHECK_THAT(ended.output, ContainsSubstring("Results are in"));

    const std::string run = folder.path("runs/short-1/");
    for (const char* name : {"config.json", "run.json", "metrics.jsonl",
                             "summary.json", "hyperparameters.safetensors",
                             "weights.safetensors", "trajectory.png"}) {
      CAPTURE(name);
      CHECK(fs::file_size(run + name) > 0);
    }
    const auto lines = lines_of(run + "metrics.jsonl");
    REQUIRE(lines.size() == 2);
    for (const char* key :
         {"step", "seconds", "outer_loss", "gradient_norm", "status"}) {
      CHECK(lines[1].contains(key));
    }
    // The effective configuration says everything: it completes to itself.
    const Json effective = Json::parse(read_file(run + "config.json"));
    CHECK(complete(experiment_schema(), effective) == effective);
  }
}

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
  // 20 windows of 20 steps, one more gradient each, and two final runs.
  CHECK(summary["train_gradients"] == 20 * 21 + 2 * 50);
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
  check("run good.json --out /proc/nestgrad", {"cannot make this folder"});
  check("run good.json --set outer.steps", {"expected path=value"});
  check("run good.json --set outer.steps=0", {"--set: /outer/steps"});
  check("run good.json --set device=cuda", {"/device: there is no CUDA"});
  check("run", {"config"});
  check("walk good.json", {"walk"});
  check("list estimator", {"there is no list of 'estimator'"});
  check("explain windw", {"did you mean 'window'?"});
}

TEST_CASE("numbers that go bad end with exit code 3 and keep what there is",
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
  REQUIRE(lines.size() == steps + 1);
  CHECK(lines.back()["status"] == "diverged");
  CHECK_THAT(lines.back()["trouble"].get<std::string>(),
             ContainsSubstring("the validation loss is"));
  CHECK(lines.back().contains("products"));
  CHECK(lines[0]["status"] == "ok");
  CHECK(all_finite(
      load_safetensors(folder.path("runs/a-1/hyperparameters.safetensors"))));
}

TEST_CASE("an interrupted run keeps what there is and says which signal",
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
        summary["outer_steps"].get<std::size_t>());
}

TEST_CASE("the outer loop restored in the middle continues bit-identically",
          "[experiment]") {
  const auto whole = Config(complete(experiment_schema(), ridge_config()));
  class StopAt : public Observer {
   public:
    explicit StopAt(std::int64_t step) : step_(step) {}
    Verdict on_step(const OuterStep& step) override {
      return step.step == step_ ? Verdict::kStop : Verdict::kContinue;
    }

   private:
    std::int64_t step_;
  };
  Experiment uninterrupted(whole);
  const OuterResult expected = uninterrupted.tune({});

  Experiment first(whole);
  CHECK(first.tune({std::make_shared<StopAt>(7)}).steps == 7);
  const Snapshot snapshot = save(first.outer_loop());
  Experiment second(whole);
  restore(second.outer_loop(), snapshot);
  const OuterResult got = second.outer_loop().run();
  CHECK(got.steps == 20);
  CHECK(at::equal(got.hyper.flatten(), expected.hyper.flatten()));
  CHECK(at::equal(second.weights(got.hyper).flatten(),
                  uninterrupted.weights(expected.hyper).flatten()));
}

TEST_CASE("example weights tell clean labels from corrupted ones",
          "[experiment]") {
  const Json config = {
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "gaussian_clusters"},
          {"classes", 3},
          {"features", 5},
          {"examples", 600},
          {"spread", 0.3},
          {"train", 150},
          {"valid", 150},
          {"corrupt_labels", 0.4}}},
        {"model", "logistic"},
        {"batch", 0}}},
      {"hyperparameters", {{"example_weight", {{"per", "example"}}}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
      {"estimator", {{"type", "unrolled"}, {"window", 20}, {"horizon", 20}}},
      {"outer", {{"type", "adam"}, {"lr", 0.2}, {"steps", 40}}}};
  Experiment experiment(Config(complete(experiment_schema(), config)));
  const OuterResult result = experiment.tune({});
  const Metrics metrics = experiment.evaluate(result.hyper);
  CHECK(metrics.at("detection_auc") > 0.9);
  CHECK(metrics.at("clean_weight") > metrics.at("corrupted_weight"));
}

TEST_CASE("what has no derivative is tuned by methods that take none",
          "[experiment]") {
  Json config = {
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "two_moons"}, {"train", 40}, {"valid", 20}, {"test", 20}}},
        {"model",
         {{"type", "mlp"}, {"hidden", {8}}, {"dropout", "$dropout"}}}}},
      {"inner", {{"type", "sgd"}, {"momentum", 0.5}}},
      {"hyperparameters", {{"dropout", {{"initial", 0.1}}}}}};
  const auto complaint = [&](const char* estimator) -> std::string {
    config["estimator"] = estimator;
    try {
      Experiment{Config(complete(experiment_schema(), config))};
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "none";
  };
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    CAPTURE(name);
    if (is_one_of(name, {"stn", "delta_stn", "finite_difference", "es", "pes",
                         "es_single", "summed_pes"})) {
      CHECK(complaint(name.c_str()) == "none");
    } else {
      CHECK_THAT(complaint(name.c_str()),
                 ContainsSubstring("/hyperparameters/dropout") &&
                     ContainsSubstring("no derivative by 'dropout'"));
    }
  }
  // All of those that can are advised.
  CHECK_THAT(complaint("ift"),
             ContainsSubstring("take delta_stn, es, es_single, "
                               "finite_difference, pes or stn, or make it"));
  // A constant may be read by all.
  config["hyperparameters"]["weight_decay"] = Json::object();
  config["hyperparameters"]["dropout"]["tuned"] = false;
  CHECK(complaint("ift") == "none");
  // What a layer names must be there.
  config["hyperparameters"].erase("dropout");
  CHECK_THAT(complaint("ift"),
             ContainsSubstring("refers to \"$dropout\", but there is no "
                               "hyperparameter 'dropout'"));
}

TEST_CASE("training without derivatives is left to who takes none",
          "[experiment]") {
  Json config = {
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "two_moons"}, {"train", 40}, {"valid", 20}, {"test", 20}}},
        {"evolution", Json::object()}}},
      {"inner", {{"type", "sgd"}, {"momentum", 0.5}}},
      {"hyperparameters", {{"weight_decay", {{"initial", 0.1}}}}}};
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    CAPTURE(name);
    config["estimator"] = name;
    const auto make = [&] {
      Experiment{Config(complete(experiment_schema(), config))};
    };
    // summed_pes is an estimator of these tests.
    if (is_one_of(name, {"stn", "finite_difference", "es", "pes", "es_single",
                         "summed_pes"})) {
      CHECK_NOTHROW(make());
    } else {
      CHECK_THROWS_WITH(
          make(),
          ContainsSubstring("/estimator/type: takes derivatives") &&
              ContainsSubstring("take es, es_single, finite_difference, pes, "
                                "stn or summed_pes"));
    }
  }
  // Without outputs to first order it takes none either, and runs.
  config["estimator"] = {
      {"type", "delta_stn"}, {"window", 2}, {"linearize", false}};
  config["outer"] = {{"type", "adam"}, {"lr", 0.05}, {"steps", 2}};
  Experiment experiment{Config(complete(experiment_schema(), config))};
  CHECK(experiment.tune({}).termination == Termination::kFinished);
}

TEST_CASE(
    "hyperparameters that are called like a column of the record have "
    "their own",
    "[experiment]") {
  const TemporaryFolder folder;
  Json config = ridge_config();
  config["hyperparameters"] = {{"step", {{"initial", 0.25}}}};
  config["inner"]["lr"] = "$step";
  config["estimator"] = {{"type", "unrolled"}, {"window", 2}};
  config["outer"]["steps"] = 2;
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet").code == 0);
  const auto lines = lines_of(folder.path("runs/a-1/metrics.jsonl"));
  REQUIRE(lines.size() == 2);
  CHECK(lines[1]["step"] == 2);
  CHECK(lines[1]["hyper.step"].get<double>() > 0);
}

TEST_CASE("the shipped self-tuning of ridge regression comes down steadily",
          "[experiment]") {
  for (const char* name : {"ridge_stn", "ridge_delta_stn"}) {
    CAPTURE(name);
    const TemporaryFolder folder;
    REQUIRE(program(folder.path(""),
                    fmt::format("run '{}/configs/{}.json' --quiet --out a",
                                NESTGRAD_SOURCE_DIR, name))
                .code == 0);
    const auto lines = lines_of(folder.path("a/metrics.jsonl"));
    for (const Json& line : lines) {
      REQUIRE(line["outer_loss"].get<double>() <
              1.05 * lines[0]["outer_loss"].get<double>());
    }
    CHECK(lines.back()["weight_decay"].get<double>() < 0.05);
  }
}

TEST_CASE("a warm-up counts as training wherever training is repeated",
          "[experiment]") {
  const Json stn =
      JsonFile::read(NESTGRAD_SOURCE_DIR "/configs/ridge_stn.json").json();
  Json config = stn;
  config["outer"]["steps"] = 5;
  const auto built = [](const Json& json) {
    return Experiment(Config(complete(experiment_schema(), json)));
  };
  // 40 windows of warm-up and one per outer step, of 5 steps each.
  CHECK(built(config).retraining_steps() == 5 * 45);
  // A run that tunes nothing, but has the same section, trains as long.
  config["hyperparameters"]["weight_decay"]["tuned"] = false;
  Experiment plain = built(config);
  plain.tune({});
  CHECK(plain.problem().train_losses() == 5 * 45);
  // So do the baselines that are shipped.
  for (const auto& [tuned, fixed] :
       {std::pair{"ridge_stn", "ridge_fixed"},
        std::pair{"fashion_mnist_dropout_stn", "fashion_mnist_dropout_fixed"},
        std::pair{"fashion_mnist_cnn_stn", "fashion_mnist_cnn_fixed"},
        std::pair{"text_lstm_stn", "text_lstm_fixed"}}) {
    CAPTURE(tuned);
    const auto steps = [](const std::string& name) {
      const Json json =
          complete(experiment_schema(),
                   JsonFile::read(fmt::format("{}/configs/{}.json",
                                              NESTGRAD_SOURCE_DIR, name))
                       .json());
      const Json& estimator = json["estimator"];
      return estimator["window"].get<int>() *
             (json["outer"]["steps"].get<int>() /
                  estimator["outer_steps_per_window"].get<int>() +
              estimator.value("warm_up", 0));
    };
    CHECK(steps(tuned) == steps(fixed));
  }
}

TEST_CASE("an experiment that tunes nothing trains as retraining does",
          "[experiment]") {
  Json config = ridge_config();
  config["hyperparameters"]["weight_decay"]["tuned"] = false;
  const Config complete_config(complete(experiment_schema(), config));
  Experiment experiment(complete_config);
  CHECK_FALSE(experiment.tunes());
  CHECK(experiment.retraining_steps() == 0);
  const OuterResult result = experiment.tune({});
  CHECK(result.termination == Termination::kFinished);
  // No noise in ridge regression, so another key changes nothing.
  CHECK(experiment.evaluate(result.hyper).at("valid_loss") ==
        Approx(experiment.retrain(result.hyper, 20 * 20).at("valid_loss")));

  const TemporaryFolder folder;
  folder.write("plain.json", config.dump());
  const Ended run = program(folder.path(""), "run plain.json --out a");
  CAPTURE(run.output);
  CHECK(run.code == 0);
  CHECK_THAT(run.output, ContainsSubstring("nothing to tune, plain training"));
  folder.write("ift.json", "[\"ift\"]");
  for (const char* command :
       {"check plain.json", "compare plain.json --estimators ift.json"}) {
    const Ended judged = program(folder.path(""), command);
    CAPTURE(judged.output);
    CHECK(judged.code == 2);
    CHECK_THAT(judged.output, ContainsSubstring("hyperparameter to tune"));
  }
  CHECK(program(folder.path(""), "plan plain.json").code == 0);
}

}  // namespace nestgrad
