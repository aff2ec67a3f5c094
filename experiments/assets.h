#pragma once

#include <map>
#include <string>

namespace nestgrad {

/// Files of experiments/report and experiments/project, by their path from
/// experiments/: the build puts them into the library.
const std::map<std::string, std::string>& assets();

}  // namespace nestgrad
