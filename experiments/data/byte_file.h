#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/nn/model.h"

struct gzFile_s;

namespace nestgrad {

/// A binary file that is read from start to end. If it is compressed with gzip,
/// it reads as what was compressed.
///
/// Every function throws Error, with one sentence that names the file, if the
/// file is not as expected. Sizes that a file announces of itself can be
/// trusted no more than its contents: read() allocates only what the file is
/// long enough to fill.
class ByteFile {
 public:
  /// Throws Error if there is no such file, if it cannot be read or is empty.
  explicit ByteFile(std::string path);

  /// A file that is in memory; `name` takes the place of its path.
  ByteFile(std::string name, std::string_view bytes);

  const std::string& path() const { return path_; }

  /// The next `count` bytes. `what` names them in complaints: "its header".
  std::string read(std::int64_t count, const char* what);

  /// The next numbers, little-endian. Throws Error as well if the shape is
  /// empty or too large to be true.
  Tensor read(const Shape& shape, at::ScalarType type, const char* what);

  /// Throws Error unless all has been read and found undamaged.
  void expect_end();

  /// Throws Error: "'path': " and `reason`, a part of a sentence.
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
