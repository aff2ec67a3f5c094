#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/export/optuna.h"
#include "experiments/export/tensorboard.h"
#include "experiments/export/torchscript.h"
#include "experiments/program/command.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep.h"
#include "experiments/sweep/sweep_record.h"
#include "experiments/sweep/sweep_results.h"

namespace nestgrad {
namespace {

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
    if (sweep) {
      runs.clear();
      for (auto& run : SweepResults(read_sweep(a->folder)).runs()) {
        runs.push_back(std::move(run.folder));
      }
    }
    std::string last;
    for (const std::string& run : runs) {
      last = write_tensorboard(run, a->tensorboard);
    }
    fmt::print("Event files are in {}\n", sweep ? a->tensorboard : last);
    return kExitDone;
  };
}

const RegisteredCommand export_command(
    {80, "export", "Write a run or a sweep in the form of another program.",
     add_export});

}  // namespace
}  // namespace nestgrad
