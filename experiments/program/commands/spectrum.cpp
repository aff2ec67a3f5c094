#include "experiments/spectrum/spectrum.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/platform/files.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

struct SpectrumArguments {
  ConfigArguments config;
  std::vector<std::string> varied;
  std::int64_t steps = 1;
  std::string folder;
  bool json = false;
};

/// The eigenvalues at one place.
int tell_eigenvalues(const JsonFile& file, const SpectrumArguments& a) {
  constexpr std::size_t kShown = 12;
  const Spectrum spectrum = spectrum_of(file, a.steps);
  if (spectrum.eigenvalues.empty()) {
    fmt::print(stderr, "Training diverged: there is no spectrum.\n");
    return kExitDiverged;
  }
  if (a.json) {
    Json values = Json::array();
    for (const std::complex<double>& z : spectrum.eigenvalues) {
      values.push_back({z.real(), z.imag()});
    }
    fmt::print("{}\n", Json{{"spectral_radius", spectrum.radius()},
                            {"eigenvalues", values}}
                           .dump(2));
    return kExitDone;
  }
  fmt::print("Spectral radius of an outer step: {:.6f}\n\n", spectrum.radius());
  fmt::print("      size      argument  eigenvalue\n");
  const std::size_t all = spectrum.eigenvalues.size();
  for (std::size_t i = 0; i < std::min(all, kShown); ++i) {
    const std::complex<double>& z = spectrum.eigenvalues[i];
    fmt::print("{:10.6f}  {:12.6f}  {:.6f} {} {:.6f} i\n", std::abs(z),
               std::arg(z), z.real(), z.imag() < 0 ? '-' : '+',
               std::abs(z.imag()));
  }
  if (all > kShown) fmt::print("... and {} smaller ones\n", all - kShown);
  return kExitDone;
}

/// Writes a table and a picture into a folder of their own.
int map(const JsonFile& file, const SpectrumArguments& a) {
  std::vector<Variation> varied;
  for (const std::string& text : a.varied) {
    varied.push_back(Variation::parse(text));
  }
  std::optional<RunFolder> named;
  if (!a.folder.empty()) named = RunFolder::create(a.folder);
  int told = 0;
  const SpectrumMap result =
      map_spectrum(file, a.steps, std::move(varied), [&](double done) {
        const int tenths = static_cast<int>(10 * done);
        if (tenths > told) tell(fmt::format("{} % done", 10 * tenths));
        told = tenths;
      });
  const std::string name = std::filesystem::path(file.name()).stem().string();
  const RunFolder folder =
      named ? *named : RunFolder::create_next(name + "-spectrum");
  write_file(folder.file("spectrum.csv"), result.to_csv());
  result.draw(folder.file("spectrum.png"));
  fmt::print("{}Results are in {}\n", result.text(), folder.path());
  return kExitDone;
}

Action add_spectrum(CLI::App& command) {
  const auto a = std::make_shared<SpectrumArguments>();
  a->config.add_to(command);
  command
      .add_option("--vary", a->varied,
                  "Numbers over which the radius is drawn, once or twice: "
                  "inner.momentum,outer.momentum=0:0.95:20 gives both keys 20 "
                  "numbers from 0 to 0.95")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--after", a->steps, "Outer steps before the one that counts")
      ->check(kCount)
      ->capture_default_str();
  command.add_option("--out", a->folder,
                     "Folder of table and picture, new or empty; default: "
                     "runs/NAME-spectrum-1, ...");
  command.add_flag("--json", a->json,
                   "Without --vary: one JSON object, with all eigenvalues as "
                   "pairs of real and imaginary part");
  return [a] {
    if (a->varied.size() > 2) {
      throw Error("--vary can be given once or twice");
    }
    return a->config.with([&](const JsonFile& file) {
      prepare_process(experiment_config(file).integer("threads"));
      return a->varied.empty() ? tell_eigenvalues(file, *a) : map(file, *a);
    });
  };
}

const RegisteredCommand spectrum_command(
    {65, "spectrum",
     "How an outer step moves what is near: its eigenvalues and their size.",
     add_spectrum});

}  // namespace
}  // namespace nestgrad
