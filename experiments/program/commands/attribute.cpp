#include "experiments/attribute/attribute.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "experiments/program/arguments.h"
#include "experiments/program/command.h"

namespace nestgrad {
namespace {

Action add_attribute(CLI::App& command) {
  struct Arguments {
    ConfigArguments config;
    AttributeOptions options;
    TalkArguments talk;
  };
  const auto a = std::make_shared<Arguments>();
  a->config.add_to(command);
  command
      .add_option("--targets", a->options.targets,
                  "Losses that are attributed to training examples: valid, "
                  "test:3, test:0-9,12 (each by itself), test:mean:0-9, or a "
                  "file with one of these per line")
      ->capture_default_str();
  command.add_option("--method", a->options.method,
                     "The estimator whose approximation is made; default: that "
                     "of the configuration");
  command
      .add_option("--steps", a->options.steps,
                  "Training steps; default: as many as a final run has")
      ->check(kCount);
  command
      .add_option("--verify", a->options.verify,
                  "Train this many networks, each without some examples drawn "
                  "at random, and tell how well their losses were predicted")
      ->check(kCount);
  command
      .add_option("--share", a->options.share,
                  "The share of the examples that each of these goes without")
      ->check(CLI::Range(1e-6, 0.99))
      ->capture_default_str();
  command.add_flag("--plan", a->options.only_plan,
                   "Tell memory and time; attribute nothing");
  command.add_option("--out", a->options.folder,
                     "Folder of the results, new or empty; default: "
                     "runs/NAME-attribute-1, ...");
  a->talk.add_to(command);
  return [a] {
    a->options.talk = a->talk.talk();
    return a->config.with(
        [&](const JsonFile& file) { return attribute(file, a->options); });
  };
}

const RegisteredCommand attribute_command(
    {66, "attribute", "What each training example did to the loss of others.",
     add_attribute});

}  // namespace
}  // namespace nestgrad
