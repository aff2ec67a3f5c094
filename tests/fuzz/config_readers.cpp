#include <filesystem>

#include "core/platform/files.h"
#include "experiments/setup/experiment.h"
#include "experiments/sweep/sweep_plan.h"
#include "tests/fuzz/readers.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

std::string change_value(const std::string& text, Random& random) {
  Json json = Json::parse(text);
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t i = 0; i < changes; ++i) json = mutated(json, random);
  return json.dump();
}

std::vector<std::string> shipped() {
  std::vector<std::string> out;
  for (const auto& entry :
       fs::directory_iterator(NESTGRAD_SOURCE_DIR "/configs")) {
    if (entry.is_regular_file()) out.push_back(read_file(entry.path()));
  }
  return out;
}

/// Configurations that are built in a millisecond.
std::vector<std::string> small() {
  return {
      R"({"problem": "ridge", "hyperparameters": {"weight_decay": {"per": "weight"}},
            "inner": {"type": "sgd", "lr": 0.1}, "estimator": {"type": "ift"},
            "outer": {"type": "adam", "steps": 5}})",
      R"({"problem": {"type": "classification",
            "data": {"type": "gaussian_clusters", "train": 20, "valid": 10},
            "model": {"type": "mlp", "hidden": [4], "dropout": "$rate"}, "batch": 5},
            "hyperparameters": {"rate": {"initial": 0.2}, "weight_decay": {"initial": 0.1}},
            "inner": {"type": "adam", "lr": {"type": "cosine", "initial": 0.1, "steps": 10}},
            "estimator": {"type": "stn", "window": 4, "horizon": 8},
            "outer": {"type": "sgd", "lr": 0.1, "steps": 3, "stop": {"patience": 2}},
            "record": {"every": 2, "retrain": 5, "networks": 2}})",
      R"({"problem": {"type": "distillation", "examples": 4,
            "data": {"type": "spirals", "train": 20, "valid": 10},
            "model": "logistic"},
            "hyperparameters": {"inputs": {}, "lr": {"initial": 0.1}},
            "inner": {"type": "clipped", "max_norm": 1, "rule": {"type": "sgd", "lr": "$lr"}},
            "estimator": {"type": "unrolled", "window": 3, "horizon": 3, "checkpoints": "sqrt"}})",
      R"({"problem": {"type": "classification",
            "data": {"type": "xor", "train": 20, "valid": 10},
            "model": {"type": "sequential", "layers": [{"type": "linear", "out": 4}, "tanh",
              {"type": "linear", "out": 2}]}},
            "hyperparameters": {"example_weight": {}},
            "estimator": {"type": "ift", "solver": {"type": "nystrom", "rank": 3}}})"};
}

std::string sweep() {
  return R"({"config": {"problem": "ridge", "hyperparameters": {"weight_decay": {}}},
    "set": {"outer.steps": 5}, "seeds": 2,
    "vary": {"outer.lr": {"low": 0.1, "high": 1, "scale": "log", "points": 3},
             "estimator": {"values": ["ift", "unrolled"]},
             "estimator.window": {"low": 1, "high": 5, "whole": true}},
    "search": {"type": "sobol", "trials": 4}, "halving": {"first": 1},
    "random_search": {"trials": 3, "vary": {"hyperparameters.weight_decay.initial":
      {"low": 1e-4, "high": 1, "count": 2}}}})";
}

}  // namespace

std::vector<Reader> config_readers() {
  std::vector<Reader> out;
  const std::vector<std::string> configs = shipped();
  // Made once: they would take a tenth of the time.
  const Schema experiments = experiment_schema(), sweeps = sweep_schema();
  const auto complete_text = [experiments](const std::string& text) {
    const JsonFile file = JsonFile::parse(text, "a.json");
    complete(experiments, file.json());
  };
  out.push_back({"config, bytes", configs, complete_text});
  out.push_back({"config, values", configs, complete_text, change_value});
  out.push_back({"config, built", small(),
                 [experiments](const std::string& text) {
                   const JsonFile file = JsonFile::parse(text, "a.json");
                   const Json json = complete(experiments, file.json());
                   if (json["device"] == "cpu") Experiment{Config(json)};
                 },
                 change_value, true});
  out.push_back({"assignment",
                 {"estimator.window=20", "a.0.b=[1, {}]"},
                 [](const std::string& text) {
                   JsonFile::parse(R"({"a": [{"b": 1}]})", "a.json").set(text);
                 }});
  out.push_back({"sweep",
                 {sweep()},
                 [sweeps](const std::string& text) {
                   const JsonFile file = JsonFile::parse(text, "s.json");
                   const Json json = complete(sweeps, file.json());
                   const SweepPlan plan{Config(json)};
                   plan.check();
                 },
                 change_value,
                 true});
  return out;
}

}  // namespace nestgrad
