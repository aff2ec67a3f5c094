#include "experiments/data/idx_file.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/data/byte_file.h"

namespace nestgrad {
namespace {

constexpr unsigned char kUnsignedByte = 8;

/// The next four bytes as a number, most significant first.
std::int64_t big_endian(ByteFile& file) {
  std::int64_t number = 0;
  for (const char byte : file.read(4, "its header")) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

/// The array in a file, uint8. Throws Error unless it has `dimensions`
/// dimensions.
Tensor read_array(const std::string& path, int dimensions, const char* what) {
  ByteFile file(path);
  const std::int64_t magic = big_endian(file);
  const std::int64_t expected = kUnsignedByte << 8 | dimensions;
  if (magic != expected) {
    file.fail(fmt::format(
        "an IDX file of {} starts with {:#010x}, this one with {:#010x}", what,
        expected, magic));
  }
  Shape shape;
  for (int i = 0; i < dimensions; ++i) shape.push_back(big_endian(file));
  const Tensor array = file.read(shape, at::kByte, what);
  file.expect_end();
  return array;
}

void write_array(const std::string& path, const Tensor& bytes) {
  const Tensor array = bytes.to(at::kCPU).contiguous();
  std::string out;
  const auto put = [&](std::int64_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      out += static_cast<char>(number >> shift & 0xFF);
    }
  };
  put(kUnsignedByte << 8 | array.dim());
  for (const std::int64_t size : array.sizes()) put(size);
  out.append(static_cast<const char*>(array.data_ptr()), array.nbytes());
  write_file(path, out);
}

}  // namespace

Dataset read_idx(const std::string& images, const std::string& labels) {
  const Tensor inputs = read_array(images, 3, "images").unsqueeze(1);
  const Tensor targets = read_array(labels, 1, "labels").to(at::kLong);
  require(inputs.size(0) == targets.size(0),
          "'{}': expected {} labels, one for every image in '{}', found {}",
          labels, inputs.size(0), images, targets.size(0));
  return {inputs, targets, targets.max().item<std::int64_t>() + 1};
}

void write_idx(const std::string& images, const std::string& labels,
               const Dataset& data) {
  require(data.inputs.scalar_type() == at::kByte && data.inputs.size(1) == 1,
          "'{}': an IDX file takes grey images of bytes", images);
  require(data.targets.max().item<std::int64_t>() < 256,
          "'{}': an IDX file takes labels below 256", labels);
  write_array(images, data.inputs.squeeze(1));
  write_array(labels, data.targets.to(at::kByte));
}

}  // namespace nestgrad
