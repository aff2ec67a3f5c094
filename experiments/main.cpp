#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/explain.h"
#include "core/memory_meter.h"
#include "core/registry.h"
#include "experiments/check.h"
#include "experiments/compare.h"
#include "experiments/experiment.h"
#include "experiments/judge.h"
#include "experiments/plan.h"
#include "experiments/process.h"
#include "experiments/run_folder.h"
#include "experiments/runner.h"

namespace nestgrad {
namespace {

const CLI::Range kCount(1, 1000000);

struct Arguments {
  bool json = false;
  CheckOptions check;
  CompareOptions compare;
  std::vector<std::string> estimators;
  std::string config;
  std::vector<std::string> assignments;
  std::string seed;
  RunOptions run;  // its folder is compare's as well
  ResumeOptions resume;
  bool quiet = false, verbose = false;
  std::string progress;  // "json" or ""
  std::string kind;
  std::string key;
};

/// Reads the configuration with its replacements and does something with it;
/// mistakes are reported with their lines.
int with_config(const Arguments& arguments,
                const std::function<int(const JsonFile&)>& work) {
  JsonFile file = JsonFile::read(arguments.config);
  for (const std::string& assignment : arguments.assignments) {
    file.set(assignment);
  }
  if (!arguments.seed.empty()) file.set("seed=" + arguments.seed);
  try {
    return work(file);
  } catch (const ConfigError& error) {
    fmt::print(stderr, "{}\n", file.describe_all(error));
    return kExitMistake;
  }
}

/// Writes the table and the picture into a folder of their own.
int compare(const JsonFile& file, const std::vector<JsonFile>& others,
            const Arguments& arguments) {
  prepare_process(
      Config(complete(experiment_schema(), file.json())).integer("threads"));
  std::optional<RunFolder> named;
  if (!arguments.run.folder.empty()) {
    named = RunFolder::create(arguments.run.folder);
  }
  CompareOptions options = arguments.compare;
  if (!arguments.json) {
    options.progress = [](const std::string& what) {
      fmt::print(stderr, "{}\n", what);
    };
  }
  const Json comparison = compare_estimators(file, others, options);
  const std::string name = std::filesystem::path(file.name()).stem().string();
  const RunFolder folder =
      named ? *named : RunFolder::create_next(name + "-compare");
  folder.write("compare.json", comparison);
  draw_comparison(folder.file("compare.png"), comparison);
  if (arguments.json) {
    fmt::print("{}\n", comparison.dump(2));
  } else {
    fmt::print("{}\nResults are in {}\n", format_comparison(comparison),
               folder.path());
  }
  return kExitDone;
}

int list_types(const std::string& kind) {
  const auto& all = RegistryBase::all();
  if (!kind.empty()) {
    std::vector<std::string> kinds;
    for (const auto& [name, registry] : all) kinds.push_back(name);
    require(all.count(kind) > 0, "there is no list of '{}'; there are: {}",
            kind, fmt::join(kinds, ", "));
    fmt::print("{}", list(*all.at(kind)));
    return kExitDone;
  }
  for (const auto& [name, registry] : all) {
    fmt::print("{}\n{}\n", name, list(*registry));
  }
  return kExitDone;
}

int explain_key(const std::string& key) {
  fmt::print("{}", explain(experiment_schema(), key));
  return kExitDone;
}

/// The arguments of every command that reads a configuration.
void takes_config(CLI::App* command, Arguments& arguments) {
  command->add_option("config", arguments.config, "A JSON file")->required();
  command
      ->add_option("--set", arguments.assignments,
                   "Replace a value: --set estimator.window=20")
      ->allow_extra_args(false);
  command->add_option("--seed", arguments.seed,
                      "Replace the seed of the configuration");
}

/// How much `run` and `resume` tell.
void takes_talk(CLI::App* command, Arguments& arguments) {
  CLI::Option* const quiet = command->add_flag(
      "--quiet", arguments.quiet, "Nothing but warnings and errors");
  command
      ->add_flag("--verbose", arguments.verbose,
                 "Every outer step and every checkpoint")
      ->excludes(quiet);
  command
      ->add_option("--progress", arguments.progress,
                   "json: one JSON object per line instead of sentences")
      ->check(CLI::IsMember({"json"}));
}

Talk talk_of(const Arguments& arguments) {
  return {arguments.quiet     ? Verbosity::kQuiet
          : arguments.verbose ? Verbosity::kVerbose
                              : Verbosity::kNormal,
          !arguments.progress.empty()};
}

int parsed_main(int argc, char** argv) {
  CLI::App app("Tunes hyperparameters by hypergradients.", "nestgrad");
  app.set_version_flag("--version", NESTGRAD_VERSION);
  app.require_subcommand(1);
  Arguments arguments;

  CLI::App* const run_command =
      app.add_subcommand("run", "Run the experiment of a configuration.");
  takes_config(run_command, arguments);
  run_command->add_option("--out", arguments.run.folder,
                          "Folder of the results, new or empty");
  takes_talk(run_command, arguments);

  CLI::App* const resume_command = app.add_subcommand(
      "resume", "Continue a run from its newest checkpoint.");
  std::string run_folder;
  resume_command->add_option("folder", run_folder, "The folder of the run")
      ->required();
  resume_command
      ->add_option("--set", arguments.resume.assignments,
                   "Replace a value of its configuration")
      ->allow_extra_args(false);
  resume_command->add_option(
      "--allow", arguments.resume.allowed,
      "Keys that may differ from those of the checkpoint, or data");
  takes_talk(resume_command, arguments);

  CLI::App* const plan_command = app.add_subcommand(
      "plan", "Tell what a configuration is and will cost; run nothing.");
  takes_config(plan_command, arguments);
  plan_command->add_flag("--json", arguments.json, "One JSON object");

  CLI::App* const check_command = app.add_subcommand(
      "check", "Judge the configured estimator by independent references.");
  takes_config(check_command, arguments);
  CheckOptions& check = arguments.check;
  check_command
      ->add_option("--tolerance", check.tolerance,
                   "Largest relative error against its own claim")
      ->check(CLI::PositiveNumber);
  check_command
      ->add_option("--max-bias", check.max_bias,
                   "Largest relative error against its target")
      ->check(CLI::NonNegativeNumber);
  check_command
      ->add_option("--windows", check.windows,
                   "Windows of training before the estimate")
      ->check(kCount);
  check_command
      ->add_option("--keys", check.keys, "Draws of a method that is random")
      ->check(kCount);
  check_command->add_flag("--json", arguments.json, "One JSON object");

  CLI::App* const compare_command = app.add_subcommand(
      "compare", "Several estimators at the same weights: error and cost.");
  takes_config(compare_command, arguments);
  compare_command
      ->add_option("--estimators", arguments.estimators,
                   "Files, each with the section of an estimator or a list of "
                   "such sections")
      ->required();
  compare_command
      ->add_option("--windows", arguments.compare.windows,
                   "Windows of training before the estimates")
      ->check(kCount);
  std::string target;
  compare_command
      ->add_option("--target", target,
                   "What they are judged by; default: what the configured "
                   "one approximates")
      ->check(CLI::IsMember({to_string(Target::kTraining),
                             to_string(Target::kStationarity),
                             to_string(Target::kFixedPoint)}));
  compare_command
      ->add_option("--repeats", arguments.compare.repeats,
                   "Timed estimates; the median counts")
      ->check(kCount);
  compare_command->add_option("--out", arguments.run.folder,
                              "Folder of the results, new or empty");
  compare_command->add_flag("--json", arguments.json, "One JSON object");

  CLI::App* const list_command =
      app.add_subcommand("list", "List what a configuration can name.");
  list_command->add_option("kind", arguments.kind,
                           "problems, estimators, optimizers, ...");

  CLI::App* const explain_command = app.add_subcommand(
      "explain", "Tell what a key or a type of a configuration means.");
  explain_command
      ->add_option("key", arguments.key, "E.g. estimator.solver.terms")
      ->required();

  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    commands.push_back(command->get_name());
  }
  const std::string first = argc > 1 ? argv[1] : "-";
  require(first[0] == '-' ||
              std::count(commands.begin(), commands.end(), first) > 0,
          "there is no command '{}'; there are: {}", first,
          fmt::join(commands, ", "));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has its own numbers for mistakes; here they are all of one kind.
    return app.exit(error) == 0 ? kExitDone : kExitMistake;
  }
  if (run_command->parsed()) {
    return with_config(arguments, [&](const JsonFile& file) {
      arguments.run.talk = talk_of(arguments);
      return run_experiment(file, arguments.run);
    });
  }
  if (resume_command->parsed()) {
    arguments.resume.talk = talk_of(arguments);
    return resume_experiment(run_folder, arguments.resume);
  }
  if (plan_command->parsed()) {
    return with_config(arguments, [&](const JsonFile& file) {
      const Config config(complete(experiment_schema(), file.json()));
      prepare_process(config.integer("threads"));
      const Json plan = make_plan(config);
      fmt::print("{}",
                 arguments.json ? plan.dump(2) + "\n" : format_plan(plan));
      return static_cast<int>(kExitDone);
    });
  }
  if (check_command->parsed()) {
    return with_config(arguments, [&](const JsonFile& file) {
      JsonFile exact = file;
      exact.set("dtype=float64");
      const Config config(complete(experiment_schema(), exact.json()));
      prepare_process(config.integer("threads"));
      if (!arguments.json) {
        arguments.check.progress = [](const std::string& what) {
          fmt::print(stderr, "{}\n", what);
        };
      }
      const Json result = check_estimator(config, arguments.check);
      fmt::print("{}",
                 arguments.json ? result.dump(2) + "\n" : format_check(result));
      return static_cast<int>(result["passed"] ? kExitDone : kExitCheckFailed);
    });
  }
  if (compare_command->parsed()) {
    for (const Target t :
         {Target::kTraining, Target::kStationarity, Target::kFixedPoint}) {
      if (target == to_string(t)) arguments.compare.target = t;
    }
    std::vector<JsonFile> others;
    for (const std::string& path : arguments.estimators) {
      others.push_back(JsonFile::read(path));
    }
    return with_config(arguments, [&](const JsonFile& file) {
      return compare(file, others, arguments);
    });
  }
  if (list_command->parsed()) return list_types(arguments.kind);
  return explain_key(arguments.key);
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  const nestgrad::MemoryMeter memory;  // so that every tensor is known to it
  try {
    return nestgrad::parsed_main(argc, argv);
  } catch (const nestgrad::Error& error) {
    fmt::print(stderr, "nestgrad: {}\n", error.what());
    return nestgrad::kExitMistake;
  } catch (const c10::Error& error) {
    fmt::print(stderr, "nestgrad: internal error: {}\n",
               error.what_without_backtrace());
  } catch (const std::exception& error) {
    fmt::print(stderr, "nestgrad: internal error: {}\n", error.what());
  }
  return nestgrad::kExitInternal;
}
