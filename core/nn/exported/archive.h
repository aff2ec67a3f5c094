#pragma once

#include <map>
#include <string>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A tensor of an archive, on the CPU.
struct ExportedTensor {
  Tensor value;
  bool requires_grad = false;
  std::string storage;  ///< the entry with its numbers
  std::string place;    ///< equal for tied tensors: one view of one storage
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

/// Reads an archive of PyTorch 2.8 or later. Nothing in it is trusted. Throws
/// Error, naming the file, if it cannot be read, is damaged, is older, or is
/// another kind of file of PyTorch.
ExportedArchive read_exported_archive(const std::string& path);

}  // namespace nestgrad
