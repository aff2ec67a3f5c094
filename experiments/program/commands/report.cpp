#include "experiments/report/report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/attribute/attribute.h"
#include "experiments/black_box/equal_time.h"
#include "experiments/program/command.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep.h"
#include "experiments/sweep/sweep_record.h"
#include "experiments/sweep/sweep_results.h"

namespace nestgrad {
namespace {

/// The best runs of a sweep, and its results.
void add_sweep(const std::string& folder, ReportSubjects& out) {
  constexpr std::size_t kMost = 20;  // that a page has room for
  const SweepResults results(read_sweep(folder));
  std::vector<SweepResults::Run> runs = results.runs();
  require(!runs.empty(), "{}: no run of this sweep has ended", folder);
  if (runs.size() > kMost) runs.resize(kMost);
  for (const auto& run : runs) out.runs.push_back({run.folder, run.name});
  Json sweep = results.json();
  sweep["name"] = folder_name(folder);
  out.sweeps.push_back(std::move(sweep));
}

ReportSubjects subjects_of(const std::vector<std::string>& folders) {
  ReportSubjects out;
  for (const std::string& folder : folders) {
    if (is_sweep(folder)) {
      add_sweep(folder, out);
    } else if (is_attribution(folder)) {
      out.attributions.push_back(folder);
    } else if (is_equal_time_comparison(folder)) {
      out.comparisons.push_back(folder);
    } else {
      out.runs.push_back({folder});
    }
  }
  return out;
}

Action add_report(CLI::App& command) {
  struct Arguments {
    std::vector<std::string> folders;
    std::string file;
  };
  const auto a = std::make_shared<Arguments>();
  command
      .add_option("run", a->folders,
                  "Folders of runs, sweeps, attributions or comparisons "
                  "with black-box searches")
      ->required();
  command.add_option("--out", a->file,
                     "The page; default: report.html in the folder, of "
                     "several folders here");
  return [a] {
    const std::string file = !a->file.empty() ? a->file
                             : a->folders.size() == 1
                                 ? a->folders[0] + "/report.html"
                                 : "report.html";
    write_file(file, report_page(subjects_of(a->folders)));
    fmt::print("The page is {}\n", file);
    return kExitDone;
  };
}

const RegisteredCommand report_command(
    {70, "report", "Write one page about results, to look at in a browser.",
     add_report});

}  // namespace
}  // namespace nestgrad
