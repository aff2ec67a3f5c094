#pragma once

#include <string>

#include "experiments/data/arrays/byte_file.h"
#include "experiments/data/arrays/stored_rows.h"

namespace nestgrad {

/// Reads the array of a NumPy .npy file (format versions 1 to 3), in C or
/// Fortran order, little- or big-endian. Elements keep their type: b1, u1, i1
/// to i8, f2, f4 or f8; u2 becomes int32, u4 and u8 become int64. Throws Error
/// with one sentence that names the file if it holds anything else, is empty or
/// is damaged.
Tensor read_npy(const std::string& path);

/// The same for a file that has been opened.
Tensor read_npy(ByteFile file);

/// The array of a .npy file, whose rows are read when they are used. Throws
/// Error as read_npy() does, and if the array is in Fortran order or the file
/// is compressed.
StoredRows open_npy(const std::string& path);

}  // namespace nestgrad
