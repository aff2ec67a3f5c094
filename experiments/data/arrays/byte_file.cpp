#include "experiments/data/arrays/byte_file.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/platform/error.h"
#include "core/platform/files.h"

namespace nestgrad {
namespace {

// No gzip file expands by a larger factor (zlib's documentation says 1032).
constexpr std::int64_t kLargestExpansion = 1040;
constexpr std::int64_t kChunk = std::int64_t{1} << 30;

/// The product of the sizes and `bytes`; -1 if it is 0 or too large.
std::int64_t byte_count(const Shape& shape, std::int64_t bytes) {
  for (const std::int64_t size : shape) {
    if (size <= 0 || __builtin_mul_overflow(bytes, size, &bytes)) return -1;
  }
  return bytes;
}

}  // namespace

ByteFile::ByteFile(std::string path) : path_(std::move(path)) {
  if (!file_exists(path_)) fail("there is no such file");
  std::error_code error;
  if (!std::filesystem::is_regular_file(path_, error)) {
    fail("this is not a file");
  }
  size_ = static_cast<std::int64_t>(std::filesystem::file_size(path_, error));
  if (error) fail(error.message());
  if (size_ == 0) fail("the file is empty");
  errno = 0;
  open(gzopen(path_.c_str(), "rb"));
}

ByteFile::ByteFile(std::string name, std::string_view bytes)
    : path_(std::move(name)), size_(static_cast<std::int64_t>(bytes.size())) {
  const int descriptor = memfd_create("nestgrad", MFD_CLOEXEC);
  if (descriptor < 0) fail("there is not enough memory for its contents");
  open(gzdopen(descriptor, "rb"));
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n <= 0) fail("there is not enough memory for its contents");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  lseek(descriptor, 0, SEEK_SET);
}

void ByteFile::open(gzFile_s* file) {
  file_ = {file, [](gzFile_s* opened) {
             if (opened != nullptr) gzclose(opened);
           }};
  if (file_ == nullptr) {
    fail(errno == 0 ? "there is not enough memory to read it"
                    : fmt::format("cannot be read: {}", std::strerror(errno)));
  }
}

void ByteFile::fail(const std::string& reason) const {
  throw Error(fmt::format("'{}': {}", path_, reason));
}

bool ByteFile::compressed() const { return gzdirect(file_.get()) == 0; }

void ByteFile::require_room(std::int64_t count, const char* what) const {
  if (count / (compressed() ? kLargestExpansion : 1) > size_) {
    fail(fmt::format(
        "expected {} bytes of {}, but the file is too short, {} bytes", count,
        what, size_));
  }
}

void ByteFile::read_into(void* to, std::int64_t count, const char* what) {
  std::int64_t done = 0;
  while (done < count) {
    const auto wanted = static_cast<unsigned>(std::min(kChunk, count - done));
    const int got = gzread(file_.get(), static_cast<char*>(to) + done, wanted);
    if (got < 0) fail("the file is damaged and cannot be decompressed");
    if (got == 0) {
      fail(fmt::format("expected {} bytes of {}, but the file ends after {}",
                       count, what, done));
    }
    done += got;
  }
}

std::string ByteFile::read(std::int64_t count, const char* what) {
  require_room(count, what);
  std::string bytes(static_cast<std::size_t>(count), '\0');
  read_into(bytes.data(), count, what);
  return bytes;
}

Tensor ByteFile::read(const Shape& shape, at::ScalarType type,
                      const char* what) {
  const std::int64_t count =
      byte_count(shape, static_cast<std::int64_t>(c10::elementSize(type)));
  if (count < 0) {
    fail(fmt::format("{} have an impossible shape, ({})", what,
                     fmt::join(shape, ", ")));
  }
  require_room(count, what);
  const Tensor tensor = at::empty(shape, type);
  read_into(tensor.data_ptr(), count, what);
  return tensor;
}

void ByteFile::expect_end() {
  char byte = 0;
  const int got = gzread(file_.get(), &byte, 1);
  int code = Z_OK;
  gzerror(file_.get(), &code);
  // Z_BUF_ERROR: the compressed data are cut short.
  if (got < 0 || code == Z_BUF_ERROR) {
    fail("the file is damaged and cannot be decompressed");
  }
  if (got > 0) fail("the file is longer than expected");
}

}  // namespace nestgrad
