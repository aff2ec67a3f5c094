#include "experiments/run/evaluate.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/program/warnings_told.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// A name, or JSON with keys of its own.
Json named_or_json(const std::string& option, const std::string& text) {
  if (text.empty() || text.front() != '{') return text;
  try {
    return Json::parse(text);
  } catch (const Json::exception&) {
    throw Error(fmt::format("{}: '{}' is no JSON", option, text));
  }
}

struct Arguments {
  EvaluateOptions options;
  std::string coreset, protocol = "dc", data = "fashion_mnist";
  bool json = false;
};

int evaluate(const Arguments& a) {
  const WarningsTold at_the_end;
  EvaluateOptions options = a.options;
  require(options.file.empty() != a.coreset.empty(),
          "evaluate needs a FILE or --coreset; see 'nestgrad evaluate --help'");
  options.coreset = named_or_json("--coreset", a.coreset);
  options.protocol = named_or_json("--protocol", a.protocol);
  options.data = named_or_json("--data", a.data);
  if (options.data.is_string()) {
    options.data = {{"type", options.data}, {"standardize", true}};
  }
  if (!a.json) options.progress = tell;
  const EvaluationResult result = evaluate_examples(options);
  fmt::print("{}", a.json ? result.to_json().dump(2) + "\n" : result.text());
  return kExitDone;
}

Action add_evaluate(CLI::App& command) {
  const auto a = std::make_shared<Arguments>();
  CLI::Option* const file = command.add_option(
      "file", a->options.file,
      "Examples: .npz with inputs and labels, .npy, or .pt of torch.save");
  command
      .add_option("--labels", a->options.labels,
                  "Their labels, if they are in a file of their own: .npy or "
                  ".pt")
      ->needs(file);
  CLI::Option* const coreset =
      command
          .add_option("--coreset", a->coreset,
                      "In place of a file, a coreset of the data: a name, see "
                      "'nestgrad list coresets', or JSON")
          ->excludes(file);
  command
      .add_option("--examples", a->options.examples,
                  "How many the coreset has; 0: as many as there are real ones")
      ->needs(coreset)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--protocol", a->protocol,
                  "A name, see 'nestgrad list protocols', or JSON: "
                  "'{\"type\": \"dc\", \"epochs\": 100}'")
      ->capture_default_str();
  command
      .add_option("--data", a->data,
                  "The data that networks are judged on: a name, see 'nestgrad "
                  "list datasets', whose inputs are then standardized, or JSON")
      ->capture_default_str();
  command
      .add_flag("--standardized", a->options.standardized,
                "Inputs are prepared as --data says, in place of pixels from 0 "
                "to 1")
      ->needs(file);
  command.add_option("--seed", a->options.seed, "Of networks and minibatches")
      ->capture_default_str();
  command
      .add_option("--threads", a->options.threads,
                  "Threads of the process; 0: one per core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--json", a->json, "One JSON object");
  return [a] { return evaluate(*a); };
}

const RegisteredCommand evaluate_command(
    {78, "evaluate",
     "Judge a small training set by networks trained on it, by a protocol.",
     add_evaluate});

}  // namespace
}  // namespace nestgrad
