#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "core/platform/error.h"
#include "experiments/attribute/attribute.h"
#include "experiments/black_box/equal_time.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/program/launch.h"
#include "experiments/run/runner.h"
#include "experiments/sweep/sweep.h"

namespace nestgrad {
namespace {

Action add_resume(CLI::App& command) {
  struct Arguments {
    std::string folder;
    ResumeOptions options;
    TalkArguments talk;
    RanksArgument ranks;
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
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  a->ranks.add_to(command);
  a->talk.add_to(command);
  return [a] {
    a->options.talk = a->talk.talk();
    if (is_sweep(a->folder)) {
      require(a->ranks.ranks == 0, "{}: a sweep has workers, not ranks",
              a->folder);
      require(a->options.assignments.empty(),
              "{}: what a sweep does cannot be changed", a->folder);
      return resume_sweep(a->folder,
                          {a->folder, 0, a->options.allowed, a->options.talk});
    }
    if (is_equal_time_comparison(a->folder)) {
      require(a->ranks.ranks == 0 && a->options.assignments.empty(),
              "{}: what is compared cannot be changed", a->folder);
      return resume_equal_time(a->folder, a->options.talk);
    }
    if (is_attribution(a->folder)) {
      require(a->ranks.ranks == 0 && a->options.assignments.empty(),
              "{}: what is attributed cannot be changed", a->folder);
      return resume_attribution(a->folder, a->options.talk);
    }
    return a->ranks.with(
        [&] { return resume_experiment(a->folder, a->options); });
  };
}

const RegisteredCommand resume_command(
    {20, "resume", "Continue a run from its newest checkpoint.", add_resume});

}  // namespace
}  // namespace nestgrad
