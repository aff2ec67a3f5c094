#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Writes named tensors, in order, to a file in the safetensors format
/// (https://github.com/huggingface/safetensors), which many other programs
/// read. The file is replaced as a whole; see write_file().
///
/// Element types: float32, float64, int64, uint8 and bool; others throw Error.
/// `metadata` is stored with the tensors, for other programs to show.
void save_safetensors(const std::string& path, const ParameterSet& set,
                      const std::map<std::string, std::string>& metadata = {});

/// The bytes of a safetensors file, in pieces. Tensors that are contiguous on
/// the CPU are not copied.
class EncodedSafetensors {
 public:
  /// Throws Error if a name or an element type cannot be stored.
  EncodedSafetensors(const ParameterSet& set,
                     const std::map<std::string, std::string>& metadata);

  /// Valid during the life of this object.
  std::vector<std::string_view> pieces() const;

 private:
  std::string header_;
  std::vector<Tensor> tensors_;
};

/// The contents of a safetensors file. decode_safetensors() throws Error,
/// without the name of a file, if the bytes are invalid.
struct DecodedSafetensors {
  ParameterSet set;
  std::map<std::string, std::string> metadata;
};
DecodedSafetensors decode_safetensors(std::string_view bytes);

/// The tensors of a safetensors file, on the CPU, in the order of the header.
/// Throws Error, naming the file, if it cannot be read, is damaged or holds
/// another element type.
ParameterSet load_safetensors(const std::string& path);

/// Those of these names that the file has. Besides the types above, float16,
/// bfloat16 and signed whole numbers of 8 to 32 bits are read. Tensors of other
/// names may have any type.
ParameterSet load_safetensors(const std::string& path,
                              const std::vector<std::string>& wanted);

/// The tensor `name` of the file that config.path(key) is. What is wrong is an
/// error at that key, or at `key_of_name` if the file has no such tensor.
Tensor load_tensor(const Config& config, const std::string& key,
                   const std::string& name, const std::string& key_of_name);
inline Tensor load_tensor(const Config& config, const std::string& key,
                          const std::string& name) {
  return load_tensor(config, key, name, key);
}

/// The names of all tensors of a file, of any type, in the order of the header.
std::vector<std::string> safetensors_names(const std::string& path);

}  // namespace nestgrad
