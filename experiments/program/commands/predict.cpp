#include "experiments/predict/predict.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "core/platform/files.h"
#include "experiments/program/command.h"
#include "experiments/program/warnings_told.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Action add_predict(CLI::App& command) {
  struct Arguments {
    std::string run, data, file;
  };
  const auto a = std::make_shared<Arguments>();
  command.add_option("run", a->run, "Folder of a run")->required();
  command
      .add_option("data", a->data,
                  "New examples: a file like that of the inputs that the "
                  "network was trained on, or a folder of images")
      ->required();
  command.add_option("--out", a->file,
                     "A CSV file for the answers; default: standard output");
  return [a] {
    const WarningsTold at_the_end;
    prepare_process(/*threads=*/0);
    std::string table;
    predict(a->run, a->data, [&](const std::string& rows) {
      if (a->file.empty()) {
        fmt::print("{}", rows);
      } else {
        table += rows;
      }
    });
    if (a->file.empty()) return kExitDone;
    write_file(a->file, table);
    fmt::print("The answers are in {}\n", a->file);
    return kExitDone;
  };
}

const RegisteredCommand predict_command(
    {75, "predict", "Ask the network of a run about new examples.",
     add_predict});

}  // namespace
}  // namespace nestgrad
