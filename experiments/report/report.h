#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// A run that a page is about.
struct ReportedRun {
  std::string folder;
  std::string label = {};  ///< how the page calls it; "": as its folder
};

/// What the page shows about a run; see experiments/report/script. Long runs
/// are thinned. Throws Error if no run began in its folder or if its files
/// cannot be understood.
Json report_data(const ReportedRun& run);

/// A page about these runs, in one piece, with all that it needs. `sweeps`:
/// their results; see SweepResults::json().
std::string report_page(const std::vector<ReportedRun>& runs,
                        const std::vector<Json>& sweeps = {});

}  // namespace nestgrad
