#include "experiments/data/arrays/number_type.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// Reverses the bytes of each number.
void swap_bytes(const Tensor& numbers) {
  const auto size = static_cast<std::ptrdiff_t>(numbers.element_size());
  if (size == 1) return;
  auto* byte = static_cast<char*>(numbers.data_ptr());
  char* const end = byte + numbers.nbytes();
  for (; byte != end; byte += size) std::reverse(byte, byte + size);
}

}  // namespace

Tensor decoded(const Tensor& raw, const NumberType& type) {
  if (type.big_endian) swap_bytes(raw);
  if (type.value == at::kBool) return raw.ne(0);
  if (!type.is_unsigned) return raw;
  if (raw.element_size() == 8) {
    require(raw.min().item<std::int64_t>() >= 0,
            "holds whole numbers above 9223372036854775807; save "
            "array.astype(\"f8\") instead");
    return raw;
  }
  const std::int64_t mask = raw.element_size() == 2 ? 0xFFFF : 0xFFFFFFFF;
  return raw.to(type.value).bitwise_and_(mask);
}

}  // namespace nestgrad
