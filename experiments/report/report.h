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

/// What a page is about.
struct ReportSubjects {
  std::vector<ReportedRun> runs = {};
  std::vector<Json> sweeps = {};  ///< their results; see SweepResults::json()

  /// Folders of attributions; see attribute().
  std::vector<std::string> attributions = {};

  /// Folders of comparisons of hypergradients with black-box searches; see
  /// compare_at_equal_time().
  std::vector<std::string> comparisons = {};
};

/// A page about them, in one piece, with all that it needs. Throws Error if a
/// run has not begun, if an attribution or a comparison has not ended, and for
/// files that cannot be understood.
std::string report_page(const ReportSubjects& subjects);

}  // namespace nestgrad
