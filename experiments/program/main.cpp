#include <fmt/ranges.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "core/config/schema.h"
#include "core/platform/error.h"
#include "core/platform/memory_meter.h"
#include "core/platform/standard_streams.h"
#include "experiments/program/command.h"
#include "experiments/program/failure.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Names the option nearest to each that does not exist.
void suggest_options(const CLI::App& app) {
  std::vector<std::string> known;
  std::vector<const CLI::App*> parts{&app};
  for (const CLI::App* part : app.get_subcommands()) parts.push_back(part);
  for (const CLI::App* part : parts) {
    for (const CLI::Option* option : part->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        known.push_back("--" + name);
      }
    }
  }
  for (std::string word : app.remaining(/*recurse=*/true)) {
    word = word.substr(0, word.find('='));
    const std::string near = word[0] == '-' ? nearest(word, known) : "";
    if (!near.empty()) {
      fmt::print(stderr, "{}: did you mean '{}'?\n", word, near);
    }
  }
}

int parsed_main(int argc, char** argv) {
  CLI::App app("Tunes hyperparameters by hypergradients.", "nestgrad");
  app.set_version_flag("-V,--version", NESTGRAD_VERSION);
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
  if (first[0] != '-' && std::count(names.begin(), names.end(), first) == 0) {
    const std::string near = nearest(first, names);
    throw Error(fmt::format(
        "there is no command '{}'; {}here are: {}", first,
        near.empty() ? "t" : fmt::format("did you mean '{}'? T", near),
        fmt::join(names, ", ")));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has its own numbers for mistakes; here they are all of one kind.
    if (app.exit(error) == 0) return kExitDone;
    suggest_options(app);
    return kExitMistake;
  }
  for (const std::string& plugin : plugins) load_plugin(plugin);
  return chosen();
}

/// Whether nohup or the like ignores SIGHUP. Looked at before the libraries
/// begin: UCX, which comes with some MPI, takes the signal then.
bool hangups_are_ignored = false;
void look_at_hangups() {
  struct sigaction now {};
  sigaction(SIGHUP, nullptr, &now);
  hangups_are_ignored = now.sa_handler == SIG_IGN;
}
__attribute__((section(".preinit_array"),
               used)) void (*const before_the_libraries)() = look_at_hangups;

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  nestgrad::guard_standard_streams();
  if (nestgrad::hangups_are_ignored) signal(SIGHUP, SIG_IGN);
  // It asks for a checkpoint. What writes none has nothing to do.
  signal(SIGUSR1, SIG_IGN);
  const nestgrad::MemoryMeter memory;  // so that every tensor is known to it
  try {
    return nestgrad::code_after_output(nestgrad::parsed_main(argc, argv));
  } catch (...) {
    return nestgrad::code_after_output(nestgrad::report_failure());
  }
}
