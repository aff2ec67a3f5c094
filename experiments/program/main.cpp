#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/memory_meter.h"
#include "core/platform/standard_streams.h"
#include "experiments/program/command.h"
#include "experiments/program/failure.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

int parsed_main(int argc, char** argv) {
  CLI::App app("Tunes hyperparameters by hypergradients.", "nestgrad");
  app.set_version_flag("--version", NESTGRAD_VERSION);
  app.require_subcommand(1);
  std::vector<std::string> plugins;
  app.add_option("--plugin", plugins,
                 "A shared library with methods or problems; for any command")
      ->allow_extra_args(false);
  app.fallthrough();
  Action chosen;
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    CLI::App* const sub = app.add_subcommand(command.name, command.meaning);
    sub->callback([&chosen, action = command.add(*sub)] { chosen = action; });
    names.push_back(command.name);
  }
  const std::string first = argc > 1 ? argv[1] : "-";
  require(first[0] == '-' || std::count(names.begin(), names.end(), first) > 0,
          "there is no command '{}'; there are: {}", first,
          fmt::join(names, ", "));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has its own numbers for mistakes; here they are all of one kind.
    return app.exit(error) == 0 ? kExitDone : kExitMistake;
  }
  for (const std::string& plugin : plugins) load_plugin(plugin);
  return chosen();
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  nestgrad::guard_standard_streams();
  // It asks for a checkpoint. What writes none has nothing to do.
  std::signal(SIGUSR1, SIG_IGN);
  const nestgrad::MemoryMeter memory;  // so that every tensor is known to it
  try {
    return nestgrad::code_after_output(nestgrad::parsed_main(argc, argv));
  } catch (...) {
    return nestgrad::code_after_output(nestgrad::report_failure());
  }
}
