#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "experiments/predict/inversion.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/program/warnings_told.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_inverse(CLI::App& command) {
  struct Arguments {
    std::string run;
    std::int64_t examples = 100;
    double spread = 10, tolerance = 1e-3;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("run", a->run, "Folder of a run")->required();
  command.add_option("--examples", a->examples, "How many inputs of each kind")
      ->check(kCount)
      ->capture_default_str();
  command
      .add_option("--spread", a->spread,
                  "Standard deviation of the noise that stands for inputs of "
                  "another kind, in those of the examples")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--tolerance", a->tolerance,
                  "The largest relative error of an input that is found again")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--json", a->json, "One JSON object");
  return [a] {
    const WarningsTold at_the_end;
    prepare_process(/*threads=*/0);
    const InversionReport report =
        report_inversion(a->run, a->examples, a->spread, a->tolerance);
    fmt::print("{}", a->json ? report.to_json().dump(2) + "\n" : report.text());
    return static_cast<int>(report.accurate() ? kExitDone : kExitCheckFailed);
  };
}

const RegisteredCommand inverse_command(
    {77, "inverse", "Judge how well the network of a run can be undone.",
     add_inverse});

}  // namespace
}  // namespace nestgrad
