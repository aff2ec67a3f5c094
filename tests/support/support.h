#pragma once

// ATen first: its headers define another CHECK, which ends the program.
#include <ATen/ATen.h>
#undef CHECK  // of glog

// Hides the difference between Catch2 2 (Debian 12) and 3 (newer systems).
// PyTorch's wheels have headers of version 3 among their own, so 2 is tried
// first.
#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) {
  return Catch::Matchers::Contains(text);
}
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#endif

#include "tests/kit/numbers.h"

/// Tests read like the kit that they are written with.
namespace nestgrad {
using namespace testing;
}  // namespace nestgrad
