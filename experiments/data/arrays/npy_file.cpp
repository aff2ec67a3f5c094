#include "experiments/data/arrays/npy_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/platform/error.h"
#include "experiments/data/arrays/npy_header.h"

namespace nestgrad {

Tensor read_npy(ByteFile file) {
  const NpyHeader header = read_npy_header(file);
  Shape shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  const Tensor raw = file.read(shape, header.type.stored, "numbers");
  file.expect_end();
  try {
    const Tensor array = decoded(raw, header.type);
    if (!header.fortran_order) return array;
    Shape axes;
    for (std::int64_t i = array.dim(); i-- > 0;) axes.push_back(i);
    return array.permute(axes).contiguous();
  } catch (const Error& error) {
    file.fail(error.what());
  }
}

Tensor read_npy(const std::string& path) { return read_npy(ByteFile(path)); }

StoredRows open_npy(const std::string& path) {
  ByteFile file(path);
  const NpyHeader header = read_npy_header(file);
  if (header.fortran_order) {
    file.fail(
        "rows of an array in Fortran order are scattered over the file; save "
        "numpy.ascontiguousarray(array), or set \"in_memory\" to true");
  }
  if (file.compressed()) {
    file.fail(
        "rows of a compressed file cannot be read one by one; unpack it, or "
        "set \"in_memory\" to true");
  }
  return StoredRows(path, header.length, header.type, header.shape);
}

}  // namespace nestgrad
