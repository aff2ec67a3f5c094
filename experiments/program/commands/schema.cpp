#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "core/config/json_schema.h"
#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep_plan.h"

namespace nestgrad {
namespace {

Action add_schema(CLI::App& command) {
  const auto sweep = std::make_shared<bool>(false);
  command.add_flag("--sweep", *sweep, "That of a sweep's file");
  return [sweep] {
    const Schema schema = *sweep ? sweep_schema() : experiment_schema();
    fmt::print("{}\n", json_schema(schema).dump(2));
    return kExitDone;
  };
}

const RegisteredCommand schema_command(
    {120, "schema", "Print the JSON Schema of a configuration.", add_schema});

}  // namespace
}  // namespace nestgrad
