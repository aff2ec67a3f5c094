#pragma once

#include <ATen/core/ivalue.h>

namespace nestgrad {

// What is known of an operator's arguments before a network of Python's is run.
// Those that are computed are none.

/// Whether it is a constant, this one.
inline bool is(const c10::IValue& argument, bool constant) {
  return argument.isBool() && argument.toBool() == constant;
}

}  // namespace nestgrad
