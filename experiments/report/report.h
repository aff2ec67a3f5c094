#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// What the page shows about the run in `folder`; see
/// experiments/report/script. Long runs are thinned. Throws Error if no run
/// began there or if its files cannot be understood.
Json report_data(const std::string& folder);

/// A page about these runs, in one piece, with all that it needs.
std::string report_page(const std::vector<std::string>& folders);

}  // namespace nestgrad
