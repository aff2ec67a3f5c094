#include "experiments/program/arguments.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "core/platform/error.h"
#include "experiments/program/warnings_told.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/out_of_memory.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {

JsonFile read_json(const std::string& path) {
  if (path != "-") return JsonFile::read(path);
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  JsonFile file = JsonFile::parse(text, "stdin");
  file.see_from({"."});
  return file;
}

void ConfigArguments::add_to(CLI::App& command) {
  command.add_option("config", path, "A JSON file; - is standard input")
      ->required();
  command
      .add_option("--set", assignments,
                  "Replace a value: --set estimator.window=20")
      ->allow_extra_args(false);
  command.add_option("--seed", seed,
                     "Replace the seed; default: that of the configuration");
  command
      .add_option("--paths-from", folders,
                  "Look for relative paths of the configuration in this folder "
                  "before others")
      ->allow_extra_args(false);
}

int ConfigArguments::with(
    const std::function<int(const JsonFile&)>& work) const {
  const WarningsTold at_the_end;
  JsonFile file = read_json(path);
  std::vector<std::string> from = folders;
  from.insert(from.end(), file.folders().begin(), file.folders().end());
  if (path != "-") {
    // It may be the config.json of a run.
    const std::filesystem::path here = std::filesystem::absolute(path);
    const auto of_run = folders_of_run(here.parent_path().string());
    from.insert(from.end(), of_run.begin(), of_run.end());
  }
  file.see_from(from);
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
  // CLI11 2.4 would count it even where it is not given.
  CLI::Option* const less =
      command
          .add_flag(
              "-q,--quiet", quiet,
              "Nothing but warnings, errors and the place of the results; "
              "twice (-qq): without the place")
          ->force_callback(false)
          ->default_str("");
  command
      .add_flag("--verbose", verbose, "Every outer step and every checkpoint")
      ->excludes(less);
  command
      .add_option("--progress", progress,
                  "json: one JSON object per line; default: sentences")
      ->check(CLI::IsMember({"json"}));
}

Talk TalkArguments::talk() const {
  return {quiet > 1    ? Verbosity::kSilent
          : quiet == 1 ? Verbosity::kQuiet
          : verbose    ? Verbosity::kVerbose
                       : Verbosity::kNormal,
          !progress.empty()};
}

std::vector<std::string> allowed_words(const CLI::Option& option) {
  // CLI11 keeps them in the name of the type: "TEXT:{a,b}".
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

void tell(const std::string& what) { fmt::print(stderr, "{}\n", what); }

}  // namespace nestgrad
