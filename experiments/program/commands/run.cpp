#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/program/launch.h"
#include "experiments/run/runner.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_run(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    RunOptions options;
    TalkArguments talk;
    RanksArgument ranks;
    bool print_config = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command.add_option("--out", a->options.folder,
                     "Folder of the results, new or empty; default: "
                     "record.folder, or runs/NAME-1, runs/NAME-2, ...");
  command.add_flag("--print-config", a->print_config,
                   "Print the configuration with every default; run nothing");
  a->ranks.add_to(command);
  a->talk.add_to(command);
  return [a] {
    const auto run = [&](const JsonFile& file) {
      if (a->print_config) {
        fmt::print("{}\n", experiment_config(file).json().dump(2));
        return static_cast<int>(kExitDone);
      }
      a->options.talk = a->talk.talk();
      require(a->ranks.ranks < 2 || a->config.path != "-",
              "--ranks needs a configuration in a file, which each rank reads");
      return a->ranks.with([&] { return run_experiment(file, a->options); });
    };
    return a->config.with(run);
  };
}

const RegisteredCommand run_command({10, "run",
                                     "Run the experiment of a configuration.",
                                     add_run});

}  // namespace
}  // namespace nestgrad
