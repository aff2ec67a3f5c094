#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "experiments/program/command.h"
#include "experiments/program/scaffold/project.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_new(CLI::App& command) {
  struct Arguments {
    std::string kind, name, folder;
  };
  const auto a = std::make_shared<Arguments>();
  command
      .add_option("kind", a->kind,
                  fmt::format("{}", fmt::join(project_kinds(), ", ")))
      ->required();
  command.add_option("name", a->name, "What configurations call it")
      ->required();
  command.add_option("--out", a->folder, "The folder; default: the name");
  return [a] {
    if (a->folder.empty()) a->folder = a->name;
    new_project(a->kind, a->name, a->folder);
    fmt::print("{0}/{1}.cpp is the place to begin; {0}/README.md says how\n",
               a->folder, a->name);
    return static_cast<int>(kExitDone);
  };
}

const RegisteredCommand new_command(
    {110, "new", "Begin a project that adds a method, a problem, a layer, ...",
     add_new, project_kinds});

}  // namespace
}  // namespace nestgrad
