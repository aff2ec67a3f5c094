#pragma once

#include <ATen/core/stack.h>

#include <vector>

namespace nestgrad {

/// An operator of Python on sizes and other numbers.
struct SymbolicOperator {
  const char* target;  ///< "_operator.add"
  int arguments;  ///< 1 to 3 numbers on the stack; the result replaces them
  void (*run)(torch::jit::Stack& stack);
};

/// Whole numbers stay whole and are divided as Python divides them. They throw
/// Error where a result does not fit into 64 bits and for a division by zero.
const std::vector<SymbolicOperator>& symbolic_operators();

}  // namespace nestgrad
