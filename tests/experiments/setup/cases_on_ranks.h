#pragma once

// Cases that several processes of this program compute together.

#include "core/distributed/place.h"
#include "core/platform/threads.h"
#include "experiments/setup/experiment.h"
#include "tests/support/program.h"
#include "tests/support/support.h"

namespace nestgrad {

/// Runs a hidden case on so many ranks of this host.
inline void on_ranks(int ranks, const std::string& hidden) {
  const Ended ended = shell(".", fmt::format(R"sh(
program=$(readlink /proc/$PPID/exe)
export WORLD_SIZE={0} LOCAL_WORLD_SIZE={0} OPENBLAS_NUM_THREADS=1
export MASTER_PORT=$((20000 + $$ % 10000))
for rank in $(seq 1 $(({0} - 1))); do
  RANK=$rank "$program" "[{1}]" & all="$all $!"
done
RANK=0 "$program" "[{1}]"
code=$?
for rank in $all; do wait $rank || code=1; done
exit $code
)sh",
                                             ranks, hidden));
  CAPTURE(ranks, ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("All tests passed") != std::string::npos);
}

inline std::shared_ptr<World> joined() {
  use_threads(1);
  return join(place_in_environment(), {60, 30, 120}, "");
}

/// A network whose training has noise of its own for each example, with
/// minibatches that neither two, three nor four ranks divide evenly.
inline Json noisy_network(const Json& estimator, std::int64_t shares = 0) {
  return {
      {"precision", "float64"},
      {"threads", 1},
      {"problem",
       {{"type", "classification"},
        {"data", {{"type", "gaussian_clusters"}, {"train", 24}, {"valid", 22}}},
        {"model",
         {{"type", "sequential"},
          {"layers",
           {{{"type", "noise"}, {"deviation", 0.2}},
            {{"type", "flipout"},
             {"deviation", 0.1},
             {"layer", {{"type", "linear"}, {"out", 5}}}},
            "tanh",
            {{"type", "dropout"}, {"rate", 0.3}},
            {{"type", "activation_penalty"}, {"strength", 0.1}},
            {{"type", "linear"}, {"out", 3}}}}}},
        {"batch", 7},
        {"valid_batch", 11}}},
      {"hyperparameters",
       {{"weight_decay", {{"initial", 0.01}, {"per", "tensor"}}},
        {"example_weight", {{"initial", 0.6}}}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.5}}},
      {"estimator", estimator},
      {"outer", {{"type", "sgd"}, {"lr", 0.1}, {"steps", 2}}},
      {"distributed", {{"divide", "examples"}, {"shares", shares}}}};
}

/// Sections of all estimators but those that need a game, and of some forms of
/// implicit differentiation.
inline std::vector<Json> all_sections() {
  const EstimatorRegistry& registry = EstimatorRegistry::instance();
  std::vector<Json> out;
  for (const std::string& type : registry.names()) {
    if (type == "simultaneous" || type == "alternating") continue;
    Json section{{"type", type}, {"window", 3}, {"horizon", 9}};
    for (const KeySpec& key : registry.schema(type).keys()) {
      if (key.name == "particles") section["particles"] = 6;
    }
    out.push_back(section);
  }
  const Json neumann{{"type", "neumann"}};
  Json gauss_newton = neumann, differences = neumann;
  gauss_newton["hessian"] = "gauss_newton";
  differences["products"] = "finite_difference";
  for (const Json& more :
       {Json{{"solver", "conjugate_gradient"}}, Json{{"solver", "gmres"}},
        Json{{"solver", gauss_newton}}, Json{{"solver", differences}},
        Json{{"form", "fixed_point"}, {"solver", "gmres"}}}) {
    out.push_back({{"type", "ift"}, {"window", 3}});
    out.back().update(more);
  }
  // Cold starts, each from weights of its own.
  out.push_back(
      {{"type", "unrolled"}, {"window", 3}, {"horizon", 3}, {"starts", 3}});
  return out;
}

inline double distance(const ParameterSet& a, const ParameterSet& b) {
  return length(a - b) / (1e-300 + length(b));
}

}  // namespace nestgrad
