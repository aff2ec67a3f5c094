#include "experiments/judge/compare.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/judge/judge.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

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
  prepare_process(experiment_config(file).integer("threads"));
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
      ->check(kCount)
      ->capture_default_str();
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
      ->check(kCount)
      ->capture_default_str();
  command
      .add_option("--keys", a->options.keys,
                  "Draws of random methods; with more than one, bias and "
                  "standard deviation are told")
      ->check(kCount)
      ->capture_default_str();
  command.add_option("--out", a->folder,
                     "Folder of the results, new or empty; default: "
                     "runs/NAME-compare-1, ...");
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

const RegisteredCommand compare_command(
    {60, "compare", "Several estimators at the same weights: error and cost.",
     add_compare});

}  // namespace
}  // namespace nestgrad
