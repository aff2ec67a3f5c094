#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/nn/model.h"

struct gzFile_s;

namespace nestgrad {

/// A binary file that is read from start to end. A gzip file is decompressed.
///
/// Every function throws Error, with one sentence that names the file, if the
/// file is not as expected. Sizes stated in a file are not trusted: read()
/// allocates no more than the file's length can fill.
class ByteFile {
 public:
  /// Throws Error if the file does not exist, cannot be read or is empty.
  explicit ByteFile(std::string path);

  /// A file in memory; `name` takes the place of its path.
  ByteFile(std::string name, std::string_view bytes);

  const std::string& path() const { return path_; }

  /// The bytes of the file itself, compressed or not.
  std::int64_t size() const { return size_; }

  /// Whether it is a gzip file.
  bool compressed() const;

  /// The next `count` bytes. `what` names them in messages: "its header".
  std::string read(std::int64_t count, const char* what);

  /// The next numbers, little-endian. Also throws Error if the shape is empty
  /// or implausibly large.
  Tensor read(const Shape& shape, at::ScalarType type, const char* what);

  /// Throws Error unless all bytes have been read and are undamaged.
  void expect_end();

  /// Throws Error("'path': " + reason). `reason` is a part of a sentence.
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  void open(gzFile_s* file);
  void require_room(std::int64_t count, const char* what) const;
  void read_into(void* to, std::int64_t count, const char* what);

  std::string path_;
  std::int64_t size_ = 0;
  std::shared_ptr<gzFile_s> file_;
};

}  // namespace nestgrad
