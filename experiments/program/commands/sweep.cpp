#include "experiments/sweep/sweep.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"

namespace nestgrad {
namespace {

Action add_sweep(CLI::App& command) {
  struct Arguments {
    std::string file;
    SweepOptions options;
    TalkArguments talk;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("sweep", a->file, "A JSON file; - is standard input")
      ->required();
  command.add_option("--out", a->options.folder,
                     "Folder of the results, new or empty; default: "
                     "runs/NAME-1, runs/NAME-2, ...");
  command
      .add_option("--workers", a->options.workers,
                  "Processes at the same time; default: what the file says")
      ->check(CLI::Range(1, 1000));
  a->talk.add_to(command);
  return [a] {
    a->options.talk = a->talk.talk();
    const JsonFile file = read_json(a->file);
    try {
      return run_sweep(file, a->options);
    } catch (const ConfigError& error) {
      throw Error(file.describe_all(error));
    }
  };
}

const RegisteredCommand sweep_command(
    {30, "sweep", "Run a configuration with other values and seeds; compare.",
     add_sweep});

}  // namespace
}  // namespace nestgrad
