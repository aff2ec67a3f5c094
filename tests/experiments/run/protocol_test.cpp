#include "experiments/setup/protocol.h"

#include <filesystem>

#include "core/platform/files.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Twenty learned images for a small network, found in two outer steps.
Json small_distillation(const Json& protocol) {
  return {{"threads", 1},
          {"problem",
           {{"type", "distillation"},
            {"data",
             {{"type", "fashion_mnist"},
              {"train", 200},
              {"valid", 40},
              {"test", 50},
              {"standardize", true}}},
            {"model", {{"type", "mlp"}, {"hidden", {6}}}},
            {"examples", 20},
            {"start", "random"},
            {"baselines", {"class_mean"}},
            {"valid_batch", 50}}},
          {"hyperparameters",
           {{"inputs", Json::object()},
            {"labels", Json::object()},
            {"lr", {{"initial", 0.1}}}}},
          {"inner", {{"type", "sgd"}, {"lr", "$lr"}}},
          {"estimator", {{"type", "unrolled"}, {"window", 2}, {"horizon", 2}}},
          {"outer",
           {{"type", "adam"}, {"lr", 0.05}, {"steps", 2}, {"select", "last"}}},
          {"record", {{"protocol", protocol}}}};
}

const Shape kGrey = {1, 28, 28}, kColour = {3, 32, 32};

Protocol::Training training(const Json& section, std::int64_t examples,
                            const Shape& shape) {
  return ProtocolRegistry::instance().make(section)->training(examples, shape);
}

Json narrow_convnet() {
  return {{"type", "convnet"}, {"width", 4}, {"depth", 2}};
}

Json summary_of(const TemporaryFolder& folder, const Json& config,
                const std::string& out) {
  run_config(folder, config, out);
  return json_of(folder.path(out + "/summary.json"));
}

}  // namespace

TEST_CASE("every protocol judges found examples, and so does 'evaluate'",
          "[protocol]") {
  const TemporaryFolder folder;
  for (const std::string& name : ProtocolRegistry::instance().names()) {
    CAPTURE(name);
    Json protocol = {
        {"type", name}, {"model", narrow_convnet()}, {"networks", 2}};
    const Schema schema = ProtocolRegistry::instance().schema(name);
    for (const KeySpec& key : schema.keys()) {
      if (key.name == "epochs" || key.name == "steps") protocol[key.name] = 12;
    }
    const Json summary = summary_of(folder, small_distillation(protocol), name);
    for (const char* run : {"retrained_start", "retrained_found"}) {
      CHECK(summary[run].contains("test_accuracy"));
      CHECK(summary[run]["deviation"].contains("test_accuracy"));
    }
    CHECK(summary["baselines"]["class_mean"].contains("test_accuracy"));

    // The file that the run has written says the same.
    const Ended ended = program(
        folder.path(""),
        fmt::format("evaluate {}/distilled.npz --threads 1 --json "
                    "--protocol '{}' --data '{}'",
                    name, protocol.dump(),
                    small_distillation(protocol)["problem"]["data"].dump()));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    const Json evaluated = Json::parse(ended.output);
    CHECK(evaluated["examples"] == 20);
    CHECK(evaluated["networks"].size() == 2);
    // Pixels are rounded on the way through the units of the source.
    CHECK(evaluated["mean"]["test_loss"].get<double>() ==
          Approx(summary["retrained_found"]["test_loss"].get<double>())
              .epsilon(1e-3));
  }
}

TEST_CASE("a protocol trains as its configuration by hand does", "[protocol]") {
  const TemporaryFolder folder;
  const Json by_name =
      summary_of(folder,
                 small_distillation({{"type", "dc"},
                                     {"model", narrow_convnet()},
                                     {"networks", 2},
                                     {"epochs", 7}}),
                 "name");
  // Written out: 20 examples fit into one batch, so 7 steps.
  Json json = small_distillation("dc");
  json["record"] = {{"networks", 2}, {"retrain", 7}};
  json["problem"]["model"] = narrow_convnet();
  json["hyperparameters"].erase("lr");
  json["inner"] = {
      {"type", "sgd"},
      {"lr",
       {{"type", "step"}, {"initial", 0.01}, {"factor", 0.1}, {"every", 4}}},
      {"momentum", 0.9},
      {"weight_decay", 5e-4},
      {"minibatches", "per_start"}};
  const Json by_hand = summary_of(folder, json, "hand");
  // Of the start; what is found differs, as tuning does.
  CHECK(by_name["retrained_start"]["test_loss"].get<double>() ==
        Approx(by_hand["retrained_start"]["test_loss"].get<double>())
            .epsilon(1e-4));
  CHECK(by_name["baselines"]["class_mean"]["test_loss"].get<double>() ==
        Approx(by_hand["baselines"]["class_mean"]["test_loss"].get<double>())
            .epsilon(1e-4));
}

TEST_CASE("the protocol dc trains as its papers say", "[protocol]") {
  const Protocol::Training dc = training("dc", 10, kGrey);
  CHECK(dc.inner == Json{{"type", "sgd"},
                         {"lr",
                          {{"type", "step"},
                           {"initial", 0.01},
                           {"factor", 0.1},
                           {"every", 151}}},
                         {"momentum", 0.9},
                         {"weight_decay", 5e-4}});
  CHECK(dc.augment == Json::array());
  CHECK(dc.loss == "cross_entropy");
  CHECK(dc.batch == 256);
  CHECK(dc.steps == 300);
  CHECK(training("dc", 500, kGrey).steps == 600);

  const Protocol::Training dsa =
      training({{"type", "dc"}, {"augment", true}}, 10, kGrey);
  CHECK(dsa.steps == 1000);
  const Json colours = {{{"type", "random_shift"}, {"strength", 0.5}},
                        {{"type", "contrast"}, {"strength", 0.5}}};
  CHECK(dsa.augment[0]["layers"] ==
        Json{{{"type", "chain"}, {"layers", colours}},
             {{"type", "zoom"}, {"strength", 0.2}},
             {{"type", "rotation"}, {"degrees", 15.0}},
             {{"type", "translation"}, {"distance", 4.0}},
             {{"type", "cutout"}, {"length", 14.0}},
             {{"type", "flip"}}});
}

TEST_CASE("the protocol frepo trains as its paper's program does",
          "[protocol]") {
  const Protocol::Training frepo = training("frepo", 10, kGrey);
  CHECK(frepo.inner["type"] == "ema");
  CHECK(frepo.inner["decay"] == 0.995);
  CHECK(frepo.inner["rule"]["type"] == "adam");
  const Json lr = frepo.inner["rule"]["lr"];
  CHECK(lr["steps"] == 500);
  CHECK(lr["value"]["initial"] == 3e-4);
  CHECK(lr["value"]["final"] == Approx(3e-6));
  CHECK(lr["value"]["after"] == 500);
  CHECK(lr["value"]["steps"] == 500);
  CHECK(frepo.loss == "squared_error");
  CHECK(frepo.batch == 500);
  CHECK(frepo.steps == 1000);
  CHECK(training("frepo", 100, kGrey).steps == 2000);
  CHECK(training("frepo", 500, kGrey).steps == 5000);
  const Protocol::Training cheaper =
      training({{"type", "frepo"}, {"steps", 300}, {"batch", 100}}, 500, kGrey);
  CHECK(cheaper.steps == 300);
  CHECK(cheaper.batch == 100);
  const auto kinds = [](const Protocol::Training& training) {
    std::vector<std::string> out;
    for (const Json& layer : training.augment[0]["layers"]) {
      out.push_back(layer["type"]);
    }
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(kinds(frepo) ==
        Names{"chain", "zoom", "rotation", "translation", "cutout"});
  CHECK(kinds(training("frepo", 10, kColour)) ==
        Names{"chain", "zoom", "rotation", "translation", "cutout", "flip"});
  CHECK(training("frepo", 10, {4}).augment == Json::array());
}

TEST_CASE("a protocol judges networks, whatever head they were learned for",
          "[protocol]") {
  Json json = small_distillation("frepo");
  json["problem"]["loss"] = "squared_error";
  json["problem"]["head"] = "kernel_ridge";
  json["problem"]["temperature"] = 0.1;
  const Config whole(complete(experiment_schema(), json));
  const Config judge = with_protocol(whole, Experiment(whole));
  CHECK(judge.object("problem").text("head") == "network");
  CHECK_NOTHROW(Experiment(judge));
}

TEST_CASE("the augmentation of a protocol comes before that of its network",
          "[protocol]") {
  Json model = narrow_convnet();
  model["augment"] = {{{"type", "noise"}}};
  const Json json =
      small_distillation({{"type", "frepo"}, {"model", model}, {"steps", 3}});
  const Config whole(complete(experiment_schema(), json));
  const Config judge = with_protocol(whole, Experiment(whole));
  CHECK(judge.object("inner").text("minibatches") == "per_start");
  const Json found = judge.object("problem").object("model").json()["augment"];
  REQUIRE(found.size() == 2);
  CHECK(found[0]["type"] == "one_of");
  CHECK(found[1]["type"] == "noise");
}

TEST_CASE(
    "labels that are no probabilities count as classes where these are "
    "wanted",
    "[protocol]") {
  Json json = small_distillation("dc");
  const Experiment tuned(Config(complete(experiment_schema(), json)));
  const Config by_protocol =
      with_protocol(Config(complete(experiment_schema(), json)), tuned);
  CHECK(by_protocol.object("problem").text("loss") == "cross_entropy");
  CHECK(by_protocol.object("record").integer("retrain") == 300);
  const Experiment judge(by_protocol);
  const Tensor inputs = at::zeros({20, 1, 28, 28});
  Tensor labels = Key(1).normal(at::empty({20, 10}));
  const Tensor hyper =
      judge.hyper_of({inputs, labels, {}}).at("labels").softmax(1);
  CHECK(at::equal(hyper.argmax(1), labels.argmax(1)));
  CHECK(hyper.amax(1).min().item<double>() > 0.999999);
  labels = labels.softmax(1);
  CHECK(at::allclose(
      judge.hyper_of({inputs, labels, {}}).at("labels").softmax(1), labels));
}

TEST_CASE("learned numbers are judged as classes by the cross entropy",
          "[protocol]") {
  const TemporaryFolder folder;
  const Json protocol = {{"type", "dc"},
                         {"model", narrow_convnet()},
                         {"networks", 1},
                         {"epochs", 3}};
  Json json = small_distillation(protocol);
  json["problem"]["loss"] = "squared_error";
  const Json summary = summary_of(folder, json, "numbers");
  const Ended ended =
      program(folder.path(""),
              fmt::format("evaluate numbers/distilled.npz --threads 1 --json "
                          "--protocol '{}' --data '{}'",
                          protocol.dump(), json["problem"]["data"].dump()));
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK(Json::parse(ended.output)["mean"]["test_loss"].get<double>() ==
        Approx(summary["retrained_found"]["test_loss"].get<double>())
            .epsilon(1e-3));
  // These networks are not those of tuning.
  CHECK_FALSE(summary.contains("warm_cold_gap"));

  // The run has started from random examples, which need no file.
  const auto of_coreset = [&](const std::string& arguments) {
    return program(folder.path(""),
                   fmt::format("evaluate {} --threads 1 --json --protocol '{}' "
                               "--data '{}'",
                               arguments, protocol.dump(),
                               json["problem"]["data"].dump()));
  };
  const Ended random = of_coreset("--coreset random --examples 20");
  CAPTURE(random.output);
  REQUIRE(random.code == 0);
  CHECK(Json::parse(random.output)["mean"]["test_loss"].get<double>() ==
        Approx(summary["retrained_start"]["test_loss"].get<double>()));
  const Ended all = of_coreset("--coreset all");
  CAPTURE(all.output);
  REQUIRE(all.code == 0);
  CHECK(Json::parse(all.output)["examples"] == 200);
  CHECK_THAT(of_coreset("").output,
             ContainsSubstring("needs a FILE or --coreset"));
  CHECK_THAT(of_coreset("numbers/distilled.npz --coreset all").output,
             ContainsSubstring("file excludes --coreset"));
  CHECK_THAT(of_coreset("--coreset random --examples 7000").output,
             ContainsSubstring("are needed, but the data have"));
}

TEST_CASE("a run that is judged by a protocol is resumed in the middle of it",
          "[protocol]") {
  const TemporaryFolder folder;
  Json json = small_distillation({{"type", "frepo"},
                                  {"model", narrow_convnet()},
                                  {"networks", 2},
                                  {"steps", 100}});
  json["record"]["checkpoint"] = {{"minutes", 0}};
  const Json whole = summary_of(folder, json, "whole");
  folder.write("p.json", json.dump());
  // Ended by the signal that the wrapper sends in the final runs.
  const Ended stopped = shell(
      folder.path(""),
      fmt::format("'{}' run p.json --out part > log 2>&1 & p=$!; "
                  "while kill -0 $p && ! grep -q 'with the found' log; do "
                  "sleep 0.05; done; "
                  "kill -TERM $p; wait $p",
                  NESTGRAD_PROGRAM));
  CAPTURE(stopped.output);
  REQUIRE(stopped.code == 143);
  const Ended resumed = program(folder.path(""), "resume part --quiet");
  CAPTURE(resumed.output);
  REQUIRE(resumed.code == 0);
  const Json after = Json::parse(read_file(folder.path("part/summary.json")));
  CHECK(after["retrained_found"] == whole["retrained_found"]);
  CHECK(after["baselines"] == whole["baselines"]);
}

TEST_CASE("a protocol is for learned examples, and is told if it does not fit",
          "[protocol]") {
  const TemporaryFolder folder;
  const auto told = [&](const Json& json, const std::string& what) {
    folder.write("p.json", json.dump());
    const Ended ended = program(folder.path(""), "run p.json --out out");
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    CHECK_THAT(ended.output, ContainsSubstring(what));
    CHECK_FALSE(std::filesystem::exists(folder.path("out")));
  };
  Json other = small_distillation("dc");
  other["problem"] = "ridge";
  other["hyperparameters"] = {{"weight_decay", Json::object()}};
  other["inner"]["lr"] = 0.1;
  told(other, "is for the problem \"distillation\"");
  told(small_distillation(
           {{"type", "dc"}, {"model", {{"type", "convnet"}, {"depth", 9}}}}),
       "is too large: each block halves the images");
  told(small_distillation("dcc"), "did you mean 'dc'");
}

}  // namespace nestgrad
