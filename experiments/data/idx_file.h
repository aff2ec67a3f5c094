#pragma once

#include <string>

#include "core/dataset.h"

namespace nestgrad {

/// Reads labelled images from two files in the IDX format of MNIST, gzipped or
/// not. Inputs are bytes, [examples, 1, height, width]; `classes` is one more
/// than the largest label. Throws Error with one sentence that names the file
/// if a file is not as expected.
Dataset read_idx(const std::string& images, const std::string& labels);

/// Writes two IDX files, not gzipped, from bytes [examples, 1, height, width]
/// and labels below 256. Each file is replaced as a whole; see write_file().
void write_idx(const std::string& images, const std::string& labels,
               const Dataset& data);

}  // namespace nestgrad
