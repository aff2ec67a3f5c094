#pragma once

#include <string>
#include <vector>

namespace nestgrad {

// Warnings: sentences about an input that is allowed but looks like a mistake.
// They come up where files are read, far from whoever talks to the user, so
// they are collected here. Thread-safe.

/// Adds a warning. The same text is kept once, however often it comes up.
void add_warning(const std::string& text);

/// All warnings since the process began.
std::vector<std::string> warnings();

/// Those that no earlier call has returned: whoever calls tells them.
std::vector<std::string> untold_warnings();

}  // namespace nestgrad
