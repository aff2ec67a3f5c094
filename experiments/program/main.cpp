#include <c10/util/Exception.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/config/explain.h"
#include "core/config/json_schema.h"
#include "core/config/registry.h"
#include "core/platform/files.h"
#include "core/platform/memory_meter.h"
#include "experiments/export/optuna.h"
#include "experiments/export/tensorboard.h"
#include "experiments/export/torchscript.h"
#include "experiments/judge/check.h"
#include "experiments/judge/compare.h"
#include "experiments/judge/judge.h"
#include "experiments/judge/plan.h"
#include "experiments/program/completion.h"
#include "experiments/program/scaffold/project.h"
#include "experiments/record/run_folder.h"
#include "experiments/report/report.h"
#include "experiments/run/runner.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep.h"
#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/sweep_results.h"

namespace nestgrad {
namespace {

const CLI::Range kCount(1, 1000000);

/// A configuration on the command line, with its replacements.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> assignments;
  std::string seed;

  void add_to(CLI::App& command) {
    command.add_option("config", path, "A JSON file")->required();
    command
        .add_option("--set", assignments,
                    "Replace a value: --set estimator.window=20")
        ->allow_extra_args(false);
    command.add_option("--seed", seed, "Replace the seed of the configuration");
  }

  /// Reads it and does something with it; mistakes are reported with their
  /// lines.
  int with(const std::function<int(const JsonFile&)>& work) const {
    JsonFile file = JsonFile::read(path);
    for (const std::string& assignment : assignments) file.set(assignment);
    if (!seed.empty()) file.set("seed=" + seed);
    const Json with_plugins = with_loaded_plugins(file.json());
    if (with_plugins != file.json()) {
      file.set("plugins=" + with_plugins["plugins"].dump());
    }
    try {
      return work(file);
    } catch (const ConfigError& error) {
      fmt::print(stderr, "{}\n", file.describe_all(error));
      return kExitMistake;
    }
  }
};

/// How much `run` and `resume` tell, on the command line.
struct TalkArguments {
  bool quiet = false, verbose = false;
  std::string progress;

  void add_to(CLI::App& command) {
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

  Talk talk() const {
    return {quiet     ? Verbosity::kQuiet
            : verbose ? Verbosity::kVerbose
                      : Verbosity::kNormal,
            !progress.empty()};
  }
};

/// For long commands: tells standard error what comes next.
void tell(const std::string& what) { fmt::print(stderr, "{}\n", what); }

// Each command adds itself to the program and returns what it does. Its
// arguments live as long as that function.

using Action = std::function<int()>;

Action add_run(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    RunOptions options;
    TalkArguments talk;
    bool print_config = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command.add_option("--out", a->options.folder,
                     "Folder of the results, new or empty");
  command.add_flag("--print-config", a->print_config,
                   "Print the configuration with every default; run nothing");
  a->talk.add_to(command);
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      if (a->print_config) {
        fmt::print("{}\n", experiment_config(file.json()).json().dump(2));
        return static_cast<int>(kExitDone);
      }
      a->options.talk = a->talk.talk();
      return run_experiment(file, a->options);
    });
  };
}

Action add_resume(CLI::App& command) {
  struct Arguments {
    std::string folder;
    ResumeOptions options;
    TalkArguments talk;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("folder", a->folder, "The folder of the run")->required();
  command
      .add_option("--set", a->options.assignments,
                  "Replace a value of its configuration")
      ->allow_extra_args(false);
  command.add_option("--allow", a->options.allowed,
                     "Keys that may differ from those of the checkpoint, or "
                     "data");
  command
      .add_option("--wait", a->options.wait,
                  "Seconds to wait for another process that works there")
      ->check(CLI::NonNegativeNumber);
  a->talk.add_to(command);
  return [a] {
    a->options.talk = a->talk.talk();
    if (is_sweep(a->folder)) {
      require(a->options.assignments.empty(),
              "{}: what a sweep does cannot be changed", a->folder);
      return resume_sweep(a->folder,
                          {a->folder, 0, a->options.allowed, a->options.talk});
    }
    return resume_experiment(a->folder, a->options);
  };
}

Action add_sweep(CLI::App& command) {
  struct Arguments {
    std::string file;
    SweepOptions options;
    TalkArguments talk;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("sweep", a->file, "A JSON file")->required();
  command.add_option("--out", a->options.folder,
                     "Folder of the results, new or empty");
  command
      .add_option("--workers", a->options.workers,
                  "Processes at the same time, instead of those of the file")
      ->check(CLI::Range(1, 1000));
  a->talk.add_to(command);
  return [a] {
    a->options.talk = a->talk.talk();
    const JsonFile file = JsonFile::read(a->file);
    try {
      return run_sweep(file, a->options);
    } catch (const ConfigError& error) {
      throw Error(file.describe_all(error));
    }
  };
}

Action add_plan(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      const Config config = experiment_config(file.json());
      prepare_process(config.integer("threads"));
      const PlanResult plan = make_plan(config);
      fmt::print("{}", a->json ? plan.to_json().dump(2) + "\n" : plan.text());
      return static_cast<int>(kExitDone);
    });
  };
}

Action add_check(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    CheckOptions options;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command
      .add_option("--tolerance", a->options.tolerance,
                  "Largest relative error against its own claim")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--max-bias", a->options.max_bias,
                  "Largest relative error against its target")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--windows", a->options.windows,
                  "Windows of training before the estimate")
      ->check(kCount);
  command
      .add_option("--keys", a->options.keys, "Draws of a method that is random")
      ->check(kCount);
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    return a->config.with([&](const JsonFile& file) {
      JsonFile exact = file;
      exact.set("dtype=float64");
      const Config config = experiment_config(exact.json());
      prepare_process(config.integer("threads"));
      if (!a->json) a->options.progress = tell;
      const CheckResult result = check_estimator(config, a->options);
      fmt::print("{}",
                 a->json ? result.to_json().dump(2) + "\n" : result.text());
      return static_cast<int>(result.passed ? kExitDone : kExitCheckFailed);
    });
  };
}

struct CompareArguments {
  ConfigArguments config;
  CompareOptions options;
  std::vector<std::string> estimators;
  std::string target, folder;
  bool json = false;
};

/// Writes the table and the picture into a folder of their own.
int compare(const JsonFile& file, CompareArguments& a) {
  std::vector<JsonFile> others;
  for (const std::string& path : a.estimators) {
    others.push_back(JsonFile::read(path));
  }
  prepare_process(experiment_config(file.json()).integer("threads"));
  std::optional<RunFolder> named;
  if (!a.folder.empty()) named = RunFolder::create(a.folder);
  if (!a.json) a.options.progress = tell;
  const ComparisonResult comparison =
      compare_estimators(file, others, a.options);
  const std::string name = std::filesystem::path(file.name()).stem().string();
  const RunFolder folder =
      named ? *named : RunFolder::create_next(name + "-compare");
  folder.write("compare.json", comparison.to_json());
  comparison.draw(folder.file("compare.png"));
  if (a.json) {
    fmt::print("{}\n", comparison.to_json().dump(2));
  } else {
    fmt::print("{}\nResults are in {}\n", comparison.text(), folder.path());
  }
  return kExitDone;
}

Action add_compare(CLI::App& command) {
  const auto a = std::make_shared<CompareArguments>();
  a->config.add_to(command);
  command
      .add_option("--estimators", a->estimators,
                  "Files, each with the section of an estimator or a list of "
                  "such sections")
      ->required();
  command
      .add_option("--windows", a->options.windows,
                  "Windows of training before the estimates")
      ->check(kCount);
  command
      .add_option("--target", a->target,
                  "What they are judged by; default: what the configured one "
                  "approximates")
      ->check(CLI::IsMember({to_string(Target::kTraining),
                             to_string(Target::kStationarity),
                             to_string(Target::kFixedPoint)}));
  command
      .add_option("--repeats", a->options.repeats,
                  "Timed estimates; the median counts")
      ->check(kCount);
  command
      .add_option("--keys", a->options.keys,
                  "Draws of random methods; with more than one, bias and "
                  "standard deviation are told")
      ->check(kCount);
  command.add_option("--out", a->folder, "Folder of the results, new or empty");
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    for (const Target t :
         {Target::kTraining, Target::kStationarity, Target::kFixedPoint}) {
      if (a->target == to_string(t)) a->options.target = t;
    }
    return a->config.with(
        [&](const JsonFile& file) { return compare(file, *a); });
  };
}

/// Runs, the best of a sweep in its place.
std::vector<std::string> runs_of(const std::vector<std::string>& folders) {
  constexpr std::size_t kMost = 20;  // that a page has room for
  std::vector<std::string> out;
  for (const std::string& folder : folders) {
    if (!is_sweep(folder)) {
      out.push_back(folder);
      continue;
    }
    std::vector<std::string> runs = SweepResults(read_sweep(folder)).folders();
    require(!runs.empty(), "{}: no run of this sweep has ended", folder);
    if (runs.size() > kMost) runs.resize(kMost);
    out.insert(out.end(), runs.begin(), runs.end());
  }
  return out;
}

Action add_export(CLI::App& command) {
  struct Arguments {
    std::string folder, optuna, tensorboard, torchscript;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("folder", a->folder, "A run or a sweep")->required();
  command.add_option("--optuna", a->optuna,
                     "Write a sweep as a journal file of Optuna");
  command.add_option("--tensorboard", a->tensorboard,
                     "Write event files of TensorBoard into this folder");
  command.add_option("--torchscript", a->torchscript,
                     "Write the TorchScript file that a run has trained, with "
                     "the weights that it found");
  return [a] {
    require(!a->optuna.empty() || !a->tensorboard.empty() ||
                !a->torchscript.empty(),
            "say what to write: --optuna FILE, --tensorboard FOLDER or "
            "--torchscript FILE");
    if (!a->torchscript.empty()) {
      export_torchscript(a->folder, a->torchscript);
      fmt::print("The script is {}\n", a->torchscript);
    }
    const bool sweep = is_sweep(a->folder);
    if (!a->optuna.empty()) {
      require(sweep, "{}: is not a sweep, so there is no study", a->folder);
      write_file(a->optuna, optuna_journal(read_sweep(a->folder)));
      fmt::print("The journal is {}\n", a->optuna);
    }
    if (a->tensorboard.empty()) return kExitDone;
    std::vector<std::string> runs{a->folder};
    if (sweep) runs = SweepResults(read_sweep(a->folder)).folders();
    for (const std::string& run : runs) {
      const std::filesystem::path to =
          std::filesystem::path(a->tensorboard) / folder_name(run);
      std::error_code error;
      std::filesystem::create_directories(to, error);
      require(!error, "{}: cannot make this folder: {}", to.string(),
              error.message());
      write_file(to / "events.out.tfevents.0.nestgrad",
                 tensorboard_events(run));
    }
    fmt::print("Event files are in {}\n", a->tensorboard);
    return kExitDone;
  };
}

Action add_report(CLI::App& command) {
  struct Arguments {
    std::vector<std::string> folders;
    std::string file;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("run", a->folders, "Folders of runs or sweeps")
      ->required();
  command.add_option("--out", a->file,
                     "The page; default: report.html in the folder of the "
                     "run, for several here");
  return [a] {
    const std::string file = !a->file.empty() ? a->file
                             : a->folders.size() == 1
                                 ? a->folders[0] + "/report.html"
                                 : "report.html";
    write_file(file, report_page(runs_of(a->folders)));
    fmt::print("The page is {}\n", file);
    return kExitDone;
  };
}

std::vector<std::string> kinds() {
  std::vector<std::string> out;
  for (const auto& entry : RegistryBase::all()) out.push_back(entry.first);
  return out;
}

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

Action add_list(CLI::App& command) {
  const auto kind = std::make_shared<std::string>();
  command.add_option("kind", *kind, "problems, estimators, optimizers, ...");
  return [kind] {
    const auto& all = RegistryBase::all();
    if (!kind->empty()) {
      require(all.count(*kind) > 0, "there is no list of '{}'; there are: {}",
              *kind, fmt::join(kinds(), ", "));
      fmt::print("{}", list(*all.at(*kind)));
      return kExitDone;
    }
    for (const auto& [name, registry] : all) {
      fmt::print("{}\n{}\n", name, list(*registry));
    }
    return kExitDone;
  };
}

Action add_explain(CLI::App& command) {
  const auto key = std::make_shared<std::string>();
  command.add_option("key", *key, "E.g. estimator.solver.terms")->required();
  return [key] {
    const std::string sweep = "sweep.";
    const bool of_sweep = key->rfind(sweep, 0) == 0;
    fmt::print("{}", of_sweep
                         ? explain(sweep_schema(), key->substr(sweep.size()))
                         : explain(experiment_schema(), *key));
    return kExitDone;
  };
}

Action add_schema(CLI::App& command) {
  const auto sweep = std::make_shared<bool>(false);
  command.add_flag("--sweep", *sweep, "That of a sweep's file");
  return [sweep] {
    const Schema schema = *sweep ? sweep_schema() : experiment_schema();
    fmt::print("{}\n", json_schema(schema).dump(2));
    return kExitDone;
  };
}

Action add_completion(CLI::App& command) {
  const CLI::App* const program = command.get_parent();
  return [program] {
    const std::vector<std::string> keys = all_keys(experiment_schema());
    std::vector<CommandWords> commands;
    for (const CLI::App* sub : program->get_subcommands({})) {
      CommandWords words{sub->get_name(), {}, {}};
      for (const CLI::Option* option : sub->get_options()) {
        for (const std::string& name : option->get_lnames()) {
          words.options.push_back("--" + name);
        }
      }
      if (words.name == "list") words.arguments = kinds();
      if (words.name == "explain") words.arguments = keys;
      commands.push_back(std::move(words));
    }
    fmt::print("{}", bash_completion(commands, keys));
    return kExitDone;
  };
}

struct Command {
  const char* name;
  const char* meaning;
  Action (*add)(CLI::App&);
};

const Command kCommands[] = {
    {"run", "Run the experiment of a configuration.", add_run},
    {"resume", "Continue a run from its newest checkpoint.", add_resume},
    {"sweep", "Run a configuration with other values and seeds; compare.",
     add_sweep},
    {"plan", "Tell what a configuration is and will cost; run nothing.",
     add_plan},
    {"check", "Judge the configured estimator by independent references.",
     add_check},
    {"compare", "Several estimators at the same weights: error and cost.",
     add_compare},
    {"report", "Write one page about runs, to look at in a browser.",
     add_report},
    {"export", "Write a run or a sweep in the form of another program.",
     add_export},
    {"list", "List what a configuration can name.", add_list},
    {"explain", "Tell what a key or a type of a configuration means.",
     add_explain},
    {"new", "Begin a project that adds a method or a problem.", add_new},
    {"schema", "Print the JSON Schema of a configuration.", add_schema},
    {"completion", "Print a script that completes commands in a shell.",
     add_completion},
};

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
  for (const Command& command : kCommands) {
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
