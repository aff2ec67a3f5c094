#include <fmt/ranges.h>
#include <limits.h>
#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
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

/// Whether nohup or the like ignores SIGHUP.
bool hangups_are_ignored = false;

/// Threads of GNU's OpenMP spin for milliseconds while they wait for each
/// other. If another process needs their core, an operator can take that long:
/// of two runs on two cores, single estimates took 2.6 s instead of 0.2. With
/// fewer turns both runs are twice as slow as one, and one alone loses a
/// twentieth. OpenMP reads the variable when it is loaded, so the program is
/// started again with it. Does nothing where the user has said how threads
/// wait, or if it fails.
void start_again_with_short_waits(char** arguments, char** environment) {
  constexpr const char* kPolicy = "OMP_WAIT_POLICY=";
  constexpr const char* kSpins = "GOMP_SPINCOUNT=";
  std::vector<char*> more;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    for (const char* name : {kPolicy, kSpins}) {
      if (std::strncmp(*entry, name, std::strlen(name)) == 0) return;
    }
    more.push_back(*entry);
  }
  std::string spins = std::string(kSpins) + "1000";
  more.push_back(spins.data());
  more.push_back(nullptr);
  // Not "/proc/self/exe" itself: the process would be called "exe". Without a
  // base, the loader was started as a command, and this would be the loader.
  char program[PATH_MAX] = {};
  if (getauxval(AT_BASE) != 0 &&
      readlink("/proc/self/exe", program, sizeof program - 1) > 0) {
    execve(program, arguments, more.data());
  }
}

/// Runs before the libraries begin.
void begin(int, char** arguments, char** environment) {
  start_again_with_short_waits(arguments, environment);
  // UCX, which comes with some MPI, takes the signal when it begins.
  struct sigaction now {};
  sigaction(SIGHUP, nullptr, &now);
  hangups_are_ignored = now.sa_handler == SIG_IGN;
}
__attribute__((section(".preinit_array"),
               used)) void (*const first_of_all)(int, char**, char**) = begin;

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
