#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace nestgrad {

/// All numbers of a tensor, row by row, in double precision.
std::vector<double> to_numbers(const at::Tensor& t);

/// The type as configurations call it: "float32", "float64".
const char* dtype_name(at::ScalarType type);

}  // namespace nestgrad
