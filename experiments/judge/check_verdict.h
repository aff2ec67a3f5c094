#pragma once

#include <string>

#include "experiments/judge/check.h"

namespace nestgrad {

/// Whether a check has passed, and why, in one or two sentences.
struct CheckVerdict {
  bool passed = false;
  std::string text;
};

/// The verdict on what was measured.
CheckVerdict verdict_on(const CheckResult& measured,
                        const CheckOptions& options);

}  // namespace nestgrad
