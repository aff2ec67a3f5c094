#include "experiments/data/arrays/idx_file.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/data/arrays/byte_file.h"
#include "experiments/data/arrays/number_type.h"

namespace nestgrad {
namespace {

constexpr unsigned char kUnsignedByte = 8;
constexpr int kMostAxes = 32;

/// The type that the third byte of a file stands for.
NumberType number_type(const ByteFile& file, unsigned char code) {
  const auto big_endian = [](at::ScalarType type) {
    NumberType out = NumberType::plain(type);
    out.big_endian = true;
    return out;
  };
  switch (code) {
    case kUnsignedByte:
      return big_endian(at::kByte);
    case 0x09:
      return big_endian(at::kChar);
    case 0x0B:
      return big_endian(at::kShort);
    case 0x0C:
      return big_endian(at::kInt);
    case 0x0D:
      return big_endian(at::kFloat);
    case 0x0E:
      return big_endian(at::kDouble);
    default:
      break;
  }
  file.fail(fmt::format("there is no IDX type {:#04x}", code));
}

/// The next four bytes as a number, most significant first.
std::int64_t big_endian(ByteFile& file) {
  std::int64_t number = 0;
  for (const char byte : file.read(4, "its header")) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

/// The array in a file, in its own type.
Tensor read_array(const std::string& path, const char* what) {
  ByteFile file(path);
  const std::string magic = file.read(4, "its header");
  if (magic[0] != 0 || magic[1] != 0 || magic[3] == 0) {
    file.fail(
        "an IDX file starts with two zeros, a type and the number of axes, "
        "this one does not");
  }
  const NumberType type =
      number_type(file, static_cast<unsigned char>(magic[2]));
  const int axes = static_cast<unsigned char>(magic[3]);
  if (axes > kMostAxes) {
    file.fail(
        fmt::format("expected at most {} axes, found {}", kMostAxes, axes));
  }
  Shape shape;
  for (int i = 0; i < axes; ++i) shape.push_back(big_endian(file));
  const Tensor array = decoded(file.read(shape, type.stored, what), type);
  file.expect_end();
  return array;
}

Tensor read_labels(const std::string& path) {
  const Tensor array = read_array(path, "labels");
  require(array.dim() == 1 && !array.is_floating_point(),
          "'{}': expected one axis of whole numbers, found {} of {}", path,
          array.dim(), c10::toString(array.scalar_type()));
  const Tensor labels = array.to(at::kLong);
  const auto least = labels.min().item<std::int64_t>();
  const auto largest = labels.max().item<std::int64_t>();
  require(least >= 0 && largest < kMostClasses,
          "'{}': expected labels from 0 to at most {}, found {}", path,
          kMostClasses - 1, least < 0 ? least : largest);
  return labels;
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

Tensor read_idx(const std::string& inputs) {
  const Tensor array = read_array(inputs, "inputs");
  require(array.dim() >= 2,
          "'{}': expected 2 or more axes, the first of which counts the "
          "examples, found 1; is this the file of the labels?",
          inputs);
  return array.dim() == 3 ? array.unsqueeze(1) : array;
}

Dataset read_idx(const std::string& inputs, const std::string& labels) {
  const Tensor x = read_idx(inputs);
  const Tensor targets = read_labels(labels);
  require(x.size(0) == targets.size(0),
          "'{}': expected {} labels, one for every example in '{}', found {}",
          labels, x.size(0), inputs, targets.size(0));
  return {x, targets, targets.max().item<std::int64_t>() + 1};
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
