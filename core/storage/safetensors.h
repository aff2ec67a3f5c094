#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Writes tensors, with their names and in their order, to a file in the
/// safetensors format (https://github.com/huggingface/safetensors), which many
/// other programs read. The file is replaced as a whole; see write_file().
///
/// Element types: float32, float64, int64, uint8 and bool; Error otherwise.
/// `metadata` is stored beside the tensors, for other programs to show.
void save_safetensors(const std::string& path, const ParameterSet& set,
                      const std::map<std::string, std::string>& metadata = {});

/// The bytes of such a file, in pieces that need no second copy of tensors that
/// lie contiguous on the CPU.
class EncodedSafetensors {
 public:
  /// Throws Error if a name or an element type cannot be stored.
  EncodedSafetensors(const ParameterSet& set,
                     const std::map<std::string, std::string>& metadata);

  /// Valid as long as this object is.
  std::vector<std::string_view> pieces() const;

 private:
  std::string header_;
  std::vector<Tensor> tensors_;
};

/// What such bytes hold. Throws Error, without the name of a file, if they are
/// not as they should be.
struct DecodedSafetensors {
  ParameterSet set;
  std::map<std::string, std::string> metadata;
};
DecodedSafetensors decode_safetensors(std::string_view bytes);

/// The tensors of such a file, on the CPU, in the order of its header. Throws
/// Error with one sentence that names the file if it cannot be read, is damaged
/// or holds another element type.
ParameterSet load_safetensors(const std::string& path);

}  // namespace nestgrad
