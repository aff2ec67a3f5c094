#pragma once

#include <memory>
#include <string>

#include "core/nn/model.h"
#include "experiments/data/arrays/number_type.h"

namespace nestgrad {

/// An array that stays in its file; its rows are read when they are used. It
/// takes no memory, however large it is, and it is the operating system that
/// keeps as much of the file in its cache as there is room for.
///
/// Rows are read by pread() rather than from a memory map: pages of a map count
/// as memory of the process until they are given back, and a file that becomes
/// shorter would end the process with SIGBUS instead of an Error.
class StoredRows {
 public:
  /// The array of this shape that begins at byte `offset`. Throws Error, naming
  /// the file, unless the file ends with its last number.
  StoredRows(const std::string& path, std::int64_t offset, NumberType type,
             Shape shape);

  const Shape& shape() const { return shape_; }
  at::ScalarType type() const { return type_.value; }

  /// These rows (int64, on the CPU), in memory. Thread-safe. Throws Error if
  /// the file cannot be read or has become shorter.
  Tensor rows(const Tensor& rows) const;

 private:
  void read(void* to, std::int64_t count, std::int64_t from) const;

  std::string path_;
  std::int64_t offset_;
  NumberType type_;
  Shape shape_;
  std::int64_t row_bytes_ = 0;
  std::shared_ptr<const int> file_;  // a descriptor
};

}  // namespace nestgrad
