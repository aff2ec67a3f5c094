#include "core/config/explain.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {
namespace {

std::vector<std::string> keys() { return all_keys(experiment_schema()); }

Action add(CLI::App& command) {
  const auto key = std::make_shared<std::string>();
  command.add_option("key", *key, "E.g. estimator.solver.terms")->required();
  return [key] {
    const std::string sweep = "sweep.";
    const bool of_sweep = key->rfind(sweep, 0) == 0;
    fmt::print("{}", of_sweep
                         ? explain(sweep_schema(), key->substr(sweep.size()))
                         : explain(experiment_schema(), *key));
    return kExitDone;
  };
}

const RegisteredCommand registered(
    {100, "explain", "Tell what a key or a type of a configuration means.", add,
     keys});

}  // namespace
}  // namespace nestgrad
