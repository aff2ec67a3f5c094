#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "core/platform/warnings.h"

namespace nestgrad {

/// Tells standard error, by its end, the warnings that nobody has told.
struct WarningsTold {
  WarningsTold() = default;
  ~WarningsTold() {
    for (const std::string& text : untold_warnings()) {
      fmt::print(stderr, "nestgrad: {}\n", text);
    }
  }
  WarningsTold(const WarningsTold&) = delete;
  WarningsTold& operator=(const WarningsTold&) = delete;
};

}  // namespace nestgrad
