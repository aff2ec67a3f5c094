#include "experiments/judge/plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_plan(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      const Config config = experiment_config(file);
      prepare_process(config.integer("threads"));
      const PlanResult plan = make_plan(config);
      fmt::print("{}", a->json ? plan.to_json().dump(2) + "\n" : plan.text());
      return static_cast<int>(plan.cost ? kExitDone : kExitMistake);
    });
  };
}

const RegisteredCommand plan_command(
    {40, "plan", "Tell what a configuration is and will cost; run nothing.",
     add_plan});

}  // namespace
}  // namespace nestgrad
