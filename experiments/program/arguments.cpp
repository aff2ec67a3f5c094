#include "experiments/program/arguments.h"

#include <fmt/format.h>

#include <cstdio>

#include "core/platform/error.h"
#include "experiments/setup/out_of_memory.h"
#include "core/platform/warnings.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {

void ConfigArguments::add_to(CLI::App& command) {
  command.add_option("config", path, "A JSON file")->required();
  command
      .add_option("--set", assignments,
                  "Replace a value: --set estimator.window=20")
      ->allow_extra_args(false);
  command.add_option("--seed", seed, "Replace the seed of the configuration");
}

namespace {

/// Tells the warnings that nobody has told by its end.
struct WarningsTold {
  ~WarningsTold() {
    for (const std::string& text : untold_warnings()) {
      fmt::print(stderr, "nestgrad: {}\n", text);
    }
  }
};

}  // namespace

int ConfigArguments::with(
    const std::function<int(const JsonFile&)>& work) const {
  const WarningsTold at_the_end;
  JsonFile file = JsonFile::read(path);
  for (const std::string& assignment : assignments) file.set(assignment);
  if (!seed.empty()) file.set("seed=" + seed);
  const Json with_plugins = with_loaded_plugins(file.json());
  if (with_plugins != file.json()) {
    file.set("plugins=" + with_plugins["plugins"].dump());
  }
  try {
    return within_memory(file.json(), [&] { return work(file); });
  } catch (const ConfigError& error) {
    fmt::print(stderr, "{}\n", file.describe_all(error));
    return kExitMistake;
  }
}

void TalkArguments::add_to(CLI::App& command) {
  CLI::Option* const only_errors =
      command.add_flag("--quiet", quiet, "Nothing but warnings and errors");
  command
      .add_flag("--verbose", verbose, "Every outer step and every checkpoint")
      ->excludes(only_errors);
  command
      .add_option("--progress", progress,
                  "json: one JSON object per line instead of sentences")
      ->check(CLI::IsMember({"json"}));
}

Talk TalkArguments::talk() const {
  return {quiet     ? Verbosity::kQuiet
          : verbose ? Verbosity::kVerbose
                    : Verbosity::kNormal,
          !progress.empty()};
}

void tell(const std::string& what) { fmt::print(stderr, "{}\n", what); }

}  // namespace nestgrad
