#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/stack.h>

#include <string>

namespace nestgrad {

/// An operator of exported graphs that LibTorch does not have, or not with a
/// second derivative. It takes its arguments from a stack and puts its results
/// there, like LibTorch's own.
struct OwnOperator {
  c10::FunctionSchema schema;
  void (*run)(torch::jit::Stack& stack);

  /// Its arguments are known by their places, not by their names.
  bool by_place = false;
};

/// The operator with this target ("torch.ops.aten.rms_norm.default",
/// "_operator.add"), or null:
///
/// - attention and RMS norm, as products and sums, so that they have all
///   derivatives,
/// - sizes, and arithmetic with them,
/// - assertions. Those about the type of a tensor are not made, because the
///   type is that of the run.
const OwnOperator* find_own_operator(const std::string& target);

}  // namespace nestgrad
