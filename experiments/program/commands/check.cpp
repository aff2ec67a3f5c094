#include "experiments/judge/check.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_check(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    CheckOptions options;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command
      .add_option("--tolerance", a->options.tolerance,
                  "Largest relative error against its own claim")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--max-bias", a->options.max_bias,
                  "Largest relative error against its target; default: any")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--windows", a->options.windows,
                  "Windows of training before the estimate")
      ->check(kCount)
      ->capture_default_str();
  command
      .add_option("--keys", a->options.keys, "Draws of a method that is random")
      ->check(kCount)
      ->capture_default_str();
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      const Config config = experiment_config(file);
      prepare_process(config.integer("threads"));
      if (!a->json) a->options.progress = tell;
      const CheckResult result = check_estimator(config, a->options);
      fmt::print("{}",
                 a->json ? result.to_json().dump(2) + "\n" : result.text());
      return static_cast<int>(result.passed ? kExitDone : kExitCheckFailed);
    });
  };
}

const RegisteredCommand check_command(
    {50, "check", "Judge the configured estimator by independent references.",
     add_check});

}  // namespace
}  // namespace nestgrad
