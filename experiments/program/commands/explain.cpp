#include "core/config/explain.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {
namespace {

/// The keys of a configuration, and of a sweep's file under "sweep".
Schema everything() {
  const Schema sweep = sweep_schema();
  return experiment_schema().section(
      "sweep", sweep, kAbsent,
      "The file of 'nestgrad sweep'. " + sweep.meaning());
}

std::vector<std::string> keys() { return all_keys(everything()); }

Action add_explain(CLI::App& command) {
  const auto key = std::make_shared<std::string>();
  command.add_option("key", *key, "E.g. estimator.solver.terms")->required();
  return [key] {
    fmt::print("{}", explain(everything(), *key));
    return kExitDone;
  };
}

const RegisteredCommand explain_command(
    {100, "explain", "Tell what a key or a type of a configuration means.",
     add_explain, keys});

}  // namespace
}  // namespace nestgrad
