#include "experiments/judge/compare.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/black_box/black_box_search.h"
#include "experiments/black_box/equal_time.h"
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

  // Of a comparison with black-box searches.
  EqualTimeOptions equal_time;
  std::vector<std::string> searches, ranges;
  TalkArguments talk;
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

/// "lr=0.001:1" as a name and an interval.
std::pair<std::string, std::pair<double, double>> parse_range(
    const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.find(':', std::min(equals, text.size()));
  std::size_t low_end = 0, high_end = 0;
  std::pair<double, double> ends;
  try {
    require(colon != std::string::npos, "");
    const std::string low = text.substr(equals + 1, colon - equals - 1);
    const std::string high = text.substr(colon + 1);
    ends = {std::stod(low, &low_end), std::stod(high, &high_end)};
    require(low_end == low.size() && high_end == high.size(), "");
  } catch (const std::exception&) {
    throw Error(fmt::format(
        "--range '{}' is not of the form NAME=LOW:HIGH, lr=0.001:1 for example",
        text));
  }
  return {text.substr(0, equals), ends};
}

int compare_with_searches(const JsonFile& file, CompareArguments& a) {
  for (const std::string& search : a.searches) {
    const Json json = Json::parse(search, nullptr, false);
    a.equal_time.searches.push_back(json.is_object() ? json : Json(search));
  }
  for (const std::string& range : a.ranges) {
    a.equal_time.ranges.insert(parse_range(range));
  }
  a.equal_time.folder = a.folder;
  a.equal_time.talk = a.talk.talk();
  return compare_at_equal_time(file, a.equal_time);
}

/// The options of a comparison with black-box searches.
void add_searches(CLI::App& command, CompareArguments& a) {
  command
      .add_option("--search", a.searches,
                  "Black-box searches that tune in the same time: random, "
                  "optuna, or the section of one as JSON")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--budget", a.equal_time.budget,
                  "Processor seconds of each way of tuning with each seed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--seeds", a.equal_time.seeds,
                  "Seeds, from that of the configuration on")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      .add_option("--range", a.ranges,
                  "Where a search draws a hyperparameter: NAME=LOW:HIGH, in "
                  "its own units")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  a.talk.add_to(command);
}

/// Throws Error unless there is one kind of thing to compare with.
void require_one_kind(const CLI::App& command, const CompareArguments& a) {
  require(a.estimators.empty() != a.searches.empty(),
          "give either --estimators, for errors and costs of hypergradients, "
          "or --search, for tuning in the same time");
  if (a.searches.empty()) {
    for (const char* option : {"--budget", "--seeds", "--range"}) {
      require(command.count(option) == 0, "{} needs --search", option);
    }
    return;
  }
  for (const char* option :
       {"--windows", "--target", "--repeats", "--keys", "--json"}) {
    require(command.count(option) == 0, "{} needs --estimators", option);
  }
}

Action add_compare(CLI::App& command) {
  const auto a = std::make_shared<CompareArguments>();
  a->config.add_to(command);
  command.add_option("--estimators", a->estimators,
                     "Files, each with the section of an estimator or a list "
                     "of such sections");
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
                     "runs/NAME-compare-1 or runs/NAME-search-1, ...");
  command.add_flag("--json", a->json, "One JSON object");
  add_searches(command, *a);
  return [a, &command] {
    require_one_kind(command, *a);
    for (const Target t :
         {Target::kTraining, Target::kStationarity, Target::kFixedPoint}) {
      if (a->target == to_string(t)) a->options.target = t;
    }
    return a->config.with([&](const JsonFile& file) {
      return a->searches.empty() ? compare(file, *a)
                                 : compare_with_searches(file, *a);
    });
  };
}

const RegisteredCommand compare_command(
    {60, "compare",
     "Several estimators at the same weights, or hypergradients and black-box "
     "search in the same time.",
     add_compare});

}  // namespace
}  // namespace nestgrad
