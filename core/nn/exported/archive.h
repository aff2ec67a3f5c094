#pragma once

#include <map>
#include <string>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A tensor of an archive, on the CPU. Those of one storage share memory.
struct ExportedTensor {
  Tensor value;
  bool requires_grad = false;
  std::string storage;  ///< the entry with its numbers
  std::string place;    ///< equal for tied tensors: one view of one storage

  /// The bytes of the storage from its first number to its last; none if it has
  /// no numbers.
  std::int64_t begin = 0, end = 0;
};

/// The parts of a file of torch.export.save, which is a zip archive with the
/// program as JSON and the bytes of each tensor.
struct ExportedArchive {
  Json program;
  std::map<std::string, ExportedTensor> weights;    ///< of the state dict
  std::map<std::string, ExportedTensor> constants;  ///< and other buffers
};

/// The element type with this number in such archives. Throws Error for types
/// that LibTorch does not have.
at::ScalarType exported_scalar_type(std::int64_t number);

/// Reads an archive of PyTorch 2.8 or later. Nothing is trusted in reading it:
/// sizes, places and types are checked against the bytes that are there. (To
/// run the program in it is another matter; see ExportedGraph.) Throws Error,
/// naming the file, if it cannot be read, is damaged, is older, or is another
/// kind of file of PyTorch.
ExportedArchive read_exported_archive(const std::string& path);

}  // namespace nestgrad
