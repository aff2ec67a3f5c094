#pragma once

#include <string>

#include "core/dataset.h"

namespace nestgrad {

/// Reads labelled examples from two files in the IDX format of MNIST, gzipped
/// or not, with numbers of any of its types: unsigned and signed bytes, whole
/// numbers of 2 and 4 bytes, float32 and float64.
///
/// Inputs keep their type and have two axes or more, the first of which counts
/// the examples. Those of three axes are grey images, [examples, 1, height,
/// width]. Labels are whole numbers from 0; `classes` is one more than the
/// largest. Throws Error with one sentence that names the file if a file is not
/// as expected.
Dataset read_idx(const std::string& inputs, const std::string& labels);

/// The same inputs alone.
Tensor read_idx(const std::string& inputs);

/// Writes two IDX files, not gzipped, from bytes [examples, 1, height, width]
/// and labels below 256. Each file is replaced as a whole; see write_file().
void write_idx(const std::string& images, const std::string& labels,
               const Dataset& data);

}  // namespace nestgrad
