#pragma once

#include <string>

#include "core/parameter_set.h"

namespace nestgrad {

/// The array in a .npy file of NumPy (format versions 1 to 3), with its own
/// shape and element type: little-endian f4, f8, u1, i4 or i8 in C order.
/// Throws Error with one sentence that names the file if it holds something
/// else, or nothing, or is damaged.
Tensor read_npy(const std::string& path);

}  // namespace nestgrad
