#include "experiments/judge/plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "experiments/judge/scaling.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// An option whose value is a number with a unit.
CLI::Option* add_with_unit(CLI::App& command, const std::string& name,
                           double& value,
                           const std::map<std::string, double>& units,
                           const std::string& help) {
  return command.add_option(name, value, help)
      ->transform(CLI::AsNumberWithUnit(
          units, CLI::AsNumberWithUnit::Options(
                     CLI::AsNumberWithUnit::CASE_INSENSITIVE |
                     CLI::AsNumberWithUnit::UNIT_REQUIRED)))
      ->check(CLI::PositiveNumber);
}

Action add_plan(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    int ranks = 0;
    double bandwidth = 10e3, latency = 100;  // Mbit/s; microseconds
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  CLI::Option* const ranks =
      command
          .add_option("--ranks", a->ranks,
                      "Also tell what so many ranks, and fewer, would take")
          ->check(CLI::Range(2, 1 << 20));
  add_with_unit(command, "--bandwidth", a->bandwidth,
                {{"Mbit", 1}, {"Gbit", 1e3}},
                "Between two ranks, in a second; default: 10Gbit")
      ->needs(ranks);
  add_with_unit(command, "--latency", a->latency, {{"us", 1}, {"ms", 1e3}},
                "From a rank to another and back, as ping tells; default: "
                "0.1ms")
      ->needs(ranks);
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      const Config config = experiment_config(file);
      prepare_process(config.integer("threads"));
      PlanResult plan = make_plan(config);
      if (a->ranks > 0 && plan.cost) {
        plan.scaling = make_scaling(config, *plan.cost, a->ranks,
                                    Link{1e6 * a->bandwidth, a->latency / 1e6});
      }
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
