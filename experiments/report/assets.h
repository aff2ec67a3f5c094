#pragma once

#include <map>
#include <string>

namespace nestgrad {

/// The files of the page and the templates of new projects, which the build
/// puts into the library. Keys are paths below experiments/.
const std::map<std::string, std::string>& assets();

}  // namespace nestgrad
