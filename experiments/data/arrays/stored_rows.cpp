#include "experiments/data/arrays/stored_rows.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// Rows that fill at least one in so many of a piece of the file are read with
/// the piece as a whole.
constexpr std::int64_t kSparse = 4;

std::shared_ptr<const int> descriptor_of(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, "'{}': cannot be read: {}", path, std::strerror(errno));
  return {new int(file), [](const int* descriptor) {
            ::close(*descriptor);
            delete descriptor;
          }};
}

}  // namespace

StoredRows::StoredRows(const std::string& path, std::int64_t offset,
                       NumberType type, Shape shape)
    : path_(path),
      offset_(offset),
      type_(type),
      shape_(std::move(shape)),
      file_(descriptor_of(path)) {
  auto bytes = static_cast<std::int64_t>(c10::elementSize(type.stored));
  bool possible = !shape_.empty();
  for (std::size_t i = shape_.size(); i-- > 0;) {
    if (i == 0) row_bytes_ = bytes;
    possible = possible && shape_[i] > 0 &&
               !__builtin_mul_overflow(bytes, shape_[i], &bytes);
  }
  require(possible, "'{}': numbers have an impossible shape, ({})", path_,
          fmt::join(shape_, ", "));
  struct stat about;
  require(fstat(*file_, &about) == 0, "'{}': cannot be read: {}", path_,
          std::strerror(errno));
  require(about.st_size - offset_ == bytes,
          "'{}': expected {} bytes of numbers, but the file has {}", path_,
          bytes, about.st_size - offset_);
}

Tensor StoredRows::rows(const Tensor& rows) const {
  Shape shape = shape_;
  shape[0] = rows.numel();
  if (shape[0] == 0) return at::empty(shape, type_.value);
  const Tensor wanted = rows.contiguous();
  const auto* const row = wanted.data_ptr<std::int64_t>();
  const auto [low, high] = at::aminmax(wanted);
  const auto first = low.item<std::int64_t>();
  const auto last = high.item<std::int64_t>();
  require(first >= 0 && last < shape_[0], "'{}': there is no row {}", path_,
          first < 0 ? first : last);
  const std::int64_t span = last - first + 1;
  Tensor raw;
  if (span / kSparse < shape[0]) {
    shape[0] = span;
    raw = at::empty(shape, type_.stored);
    read(raw.data_ptr(), span * row_bytes_, first * row_bytes_);
    raw = raw.index_select(0, wanted - first);
  } else {
    raw = at::empty(shape, type_.stored);
    auto* to = static_cast<char*>(raw.data_ptr());
    for (std::int64_t i = 0; i < shape[0]; ++i, to += row_bytes_) {
      read(to, row_bytes_, row[i] * row_bytes_);
    }
  }
  try {
    return decoded(raw, type_);
  } catch (const Error& error) {
    throw Error(fmt::format("'{}': {}", path_, error.what()));
  }
}

void StoredRows::read(void* to, std::int64_t count, std::int64_t from) const {
  auto* byte = static_cast<char*>(to);
  std::int64_t at = offset_ + from;
  while (count > 0) {
    const ssize_t n = pread(*file_, byte, static_cast<std::size_t>(count), at);
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, "'{}': cannot be read: {}", path_, std::strerror(errno));
    require(n > 0, "'{}': the file has become shorter while it was used",
            path_);
    byte += n;
    at += n;
    count -= n;
  }
}

}  // namespace nestgrad
