#pragma once

#include <cstdint>
#include <string>

#include "experiments/data/data.h"

namespace nestgrad {

/// A "data" section as a problem receives it: checked and completed.
inline Config data_section(const Json& data) {
  Schema whole("");
  whole.object("data", DataRegistry::instance(), kRequired, "");
  const Json checked = complete(whole, Json{{"data", data}});
  return Config(checked["data"], "/data");
}

/// All examples of a source, before any split.
inline Examples load_source(const Json& data) {
  return DataRegistry::instance().make(data_section(data))->load(Key(1));
}

/// A .npy file of version 1 with this header and these numbers.
inline std::string npy_bytes(const std::string& header,
                             const std::string& numbers) {
  std::string bytes = std::string("\x93NUMPY\x01", 7) + '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + numbers;
}

/// The header of a .npy file for a type such as "<f4" and a shape "(3, 4)".
inline std::string npy_header(const std::string& type,
                              const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape +
         ", }\n";
}

/// 4 bytes, the most significant first.
inline std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(number >> shift & 0xff);
  }
  return bytes;
}

/// The bytes of a contiguous tensor in memory.
inline std::string raw_bytes(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace nestgrad
