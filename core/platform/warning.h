#pragma once

#include <string>

namespace nestgrad {

/// Tells standard error what a user should know but what is no mistake; each
/// text once.
void warn(const std::string& text);

}  // namespace nestgrad
