#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Reads arrays of a NumPy .npz file (savez or savez_compressed), by name:
/// those that are wanted and are there, or all if none is named. Each must be
/// as for read_npy(); others are skipped. Also throws Error if the archive is
/// damaged.
std::map<std::string, Tensor> read_npz(
    const std::string& path, const std::vector<std::string>& wanted = {});

/// The names of all arrays of a .npz file, in the order of the archive.
std::vector<std::string> npz_names(const std::string& path);

/// Writes an uncompressed .npz file, which numpy.load opens: float32, float64,
/// int64, int32 or uint8. The file is replaced as a whole; see write_file().
/// The same arrays give the same bytes.
void save_npz(const std::string& path, const ParameterSet& arrays);

}  // namespace nestgrad
