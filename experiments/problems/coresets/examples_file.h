#pragma once

#include <string>

#include "core/dataset.h"

namespace nestgrad {

/// Examples that some program has written, with their labels.
struct ExamplesInFile {
  Tensor inputs;  ///< [examples, ...], numbers of any type
  Tensor labels;  ///< [examples], whole numbers, or [examples, classes]
};

/// Reads
///  - a .npz file with `inputs` and `labels`, as `distilled.npz` of a run, or
///    with other names: `images`, `x` or `data`, and `targets` or `y`;
///  - a .npy file of inputs, with `labels_path`;
///  - a .pt or .pth file of torch.save: the first tensor of two or more axes in
///    it, however lists, tuples and dictionaries hold it, and the first one
///    after it with as many rows and at most two axes.
///
/// `labels_path`: a .npy or .pt file of the labels, if they are in a file of
/// their own; else "". Throws Error with one sentence if a file has something
/// else.
ExamplesInFile read_examples(const std::string& path,
                             const std::string& labels_path);

}  // namespace nestgrad
