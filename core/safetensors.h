#pragma once

#include <map>
#include <string>

#include "core/parameter_set.h"

namespace nestgrad {

/// Writes tensors, with their names and in their order, to a file in the
/// safetensors format (https://github.com/huggingface/safetensors), which many
/// other programs read. The file is replaced as a whole; see write_file().
///
/// Element types: float32, float64, int64, uint8 and bool; Error otherwise.
/// `metadata` is stored beside the tensors, for other programs to show.
void save_safetensors(const std::string& path, const ParameterSet& set,
                      const std::map<std::string, std::string>& metadata = {});

/// The tensors of such a file, on the CPU, in the order of its header. Throws
/// Error with one sentence that names the file if it cannot be read, is damaged
/// or holds another element type.
ParameterSet load_safetensors(const std::string& path);

}  // namespace nestgrad
