#pragma once

#include <string_view>

#include "experiments/data/arrays/byte_file.h"
#include "experiments/data/arrays/number_type.h"

namespace nestgrad {

/// What a NumPy .npy file begins with.
constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// What the beginning of a NumPy .npy file says.
struct NpyHeader {
  NumberType type;
  Shape shape;
  bool fortran_order = false;  ///< the first index runs fastest
  std::int64_t length = 0;     ///< bytes before the numbers
};

/// Reads the header of a .npy file of version 1, 2 or 3. Throws Error, naming
/// the file, if the header is damaged or the elements are not plain numbers;
/// then it says how NumPy converts them.
NpyHeader read_npy_header(ByteFile& file);

}  // namespace nestgrad
