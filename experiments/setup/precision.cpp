#include "experiments/setup/precision.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include "core/config/float32.h"
#include "core/nn/model.h"
#include "core/platform/warnings.h"
#include "core/problem.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

/// Whether there is a network in the section of a problem.
bool has_network(const Config& problem) {
  const Schema schema = ProblemRegistry::instance().schema(problem.type());
  for (const KeySpec& key : schema.keys()) {
    if (key.registry == &ModelRegistry::instance() && problem.has(key.name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Json with_precision(Json config) {
  if (!config.is_object() || !config.contains("dtype")) return config;
  const Json value = config["dtype"];
  config.erase("dtype");
  if (!config.contains("precision")) config["precision"] = value;
  add_warning("\"dtype\" is called \"precision\" now");
  return config;
}

at::ScalarType number_type(const Config& config) {
  return config.text("precision") == "float64" ? at::kDouble : at::kFloat;
}

bool is_bfloat16(const Config& config) {
  return config.text("precision") == "bfloat16";
}

bool rounds_networks(const Config& config) {
  return is_bfloat16(config) || config.text("precision") == "tf32";
}

Config in_float64(const Config& config) {
  Json json = config.json();
  json["precision"] = "float64";
  return Config(std::move(json), "", config.folders());
}

void require_representable_numbers(const Config& config) {
  if (number_type(config) != at::kFloat) return;
  std::vector<Complaint> all, complaints;
  refuse_beyond_float32(experiment_schema(), config.json(), "", all);
  for (Complaint& complaint : all) {
    const auto in = [&](const char* section) {
      return complaint.where.rfind(section, 0) == 0;
    };
    // Budgets and what is recorded are no tensors.
    if (in("/outer/stop/") || in("/record/") || in("/hyperparameters/")) {
      continue;
    }
    complaints.push_back(std::move(complaint));
  }
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
}

void prepare_precision(const Config& config, const at::Device& device) {
  const bool tf32 = config.text("precision") == "tf32";
  if (tf32 && !device.is_cuda()) {
    config.fail("precision",
                fmt::format("\"tf32\" is a type of CUDA's devices, and the "
                            "device is {}; take \"float32\"",
                            device.str()));
  }
  if (is_bfloat16(config) && !device.is_cpu() && !device.is_cuda()) {
    config.fail("precision",
                fmt::format("\"bfloat16\" is there on the CPU and on CUDA, "
                            "and the device is {}; take \"float32\"",
                            device.str()));
  }
  const Config problem = config.object("problem");
  if (is_bfloat16(config) && !has_network(problem)) {
    config.fail("precision",
                fmt::format("\"bfloat16\" is for networks, and the problem "
                            "\"{}\" has none; take \"float32\"",
                            problem.type()));
  }
  // In float64 there is nothing to set, and another experiment of this process
  // may be in TF32.
  if (number_type(config) != at::kFloat) return;
  at::globalContext().setAllowTF32CuBLAS(tf32);
  at::globalContext().setAllowTF32CuDNN(tf32);
}

}  // namespace nestgrad
