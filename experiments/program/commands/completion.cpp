#include "experiments/program/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/config/explain.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_completion(CLI::App& command) {
  const CLI::App* const program = command.get_parent();
  return [program] {
    const std::vector<std::string> keys = all_keys(experiment_schema());
    std::vector<CommandWords> all;
    std::map<std::string, std::vector<std::string>> values;
    for (const Command& c : commands()) {
      CommandWords words{c.name, {}, {}};
      if (c.words != nullptr) words.arguments = c.words();
      for (const CLI::Option* option :
           program->get_subcommand(c.name)->get_options()) {
        for (const std::string& name : option->get_lnames()) {
          words.options.push_back("--" + name);
          const std::vector<std::string> allowed = allowed_words(*option);
          if (!allowed.empty()) values["--" + name] = allowed;
        }
      }
      all.push_back(std::move(words));
    }
    fmt::print("{}", bash_completion(all, keys, values));
    return kExitDone;
  };
}

const RegisteredCommand completion_command(
    {130, "completion", "Print a script that completes commands in a shell.",
     add_completion});

}  // namespace
}  // namespace nestgrad
