#include "experiments/setup/experiment.h"

#include <filesystem>

#include "core/platform/files.h"
#include "experiments/run/difference.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/shortened.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Experiment built(const Json& json) {
  return Experiment(Config(complete(experiment_schema(), json)));
}

}  // namespace

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
    } else if (is_one_of(name, {"simultaneous", "alternating"})) {
      CHECK_THAT(complaint(name.c_str()), ContainsSubstring("needs a game"));
    } else {
      CHECK_THAT(complaint(name.c_str()),
                 ContainsSubstring("/hyperparameters/dropout") &&
                     ContainsSubstring("no derivative by 'dropout'"));
    }
  }
  // The complaint advises all estimators that can.
  CHECK_THAT(complaint("ift"),
             ContainsSubstring("take delta_stn, es, es_single, "
                               "finite_difference, pes, stn or summed_pes, or "
                               "make it"));
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
    } else if (is_one_of(name, {"simultaneous", "alternating"})) {
      CHECK_THROWS_WITH(make(), ContainsSubstring("needs a game"));
    } else {
      CHECK_THROWS_WITH(
          make(),
          ContainsSubstring("/estimator/type: takes derivatives") &&
              ContainsSubstring("take es, es_single, finite_difference, pes, "
                                "stn or summed_pes"));
    }
  }
  // Without outputs to first order it takes no derivatives either, and runs.
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
  REQUIRE(lines.size() == 3);
  CHECK(lines[2]["step"] == 2);
  CHECK(lines[2]["hyper.step"].get<double>() > 0);
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
    auto lines = lines_of(folder.path("a/metrics.jsonl"));
    lines.erase(lines.begin());  // the start has no estimate
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

TEST_CASE("inner.minibatches gives each start minibatches of its own",
          "[experiment]") {
  const auto order = [](const Json& inner, const Key& run) {
    Json config = ridge_config();
    config["inner"].update(inner);
    return built(config).loop().draw({}, run).order;
  };
  CHECK(order(Json::object(), Key(2)) == 0);
  CHECK(order({{"minibatches", "common"}}, Key(2)) == 0);
  const Json own{{"minibatches", "per_start"}};
  CHECK(order(own, Key(2)) != 0);
  CHECK(order(own, Key(2)) == order(own, Key(2)));
  CHECK(order(own, Key(2)) != order(own, Key(3)));
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
