#include "experiments/data/npy_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "experiments/data/byte_file.h"

namespace nestgrad {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostDimensions = 32;

struct ElementType {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array<ElementType, 6> kElementTypes = {{{"<f4", at::kFloat},
                                                       {"<f8", at::kDouble},
                                                       {"|u1", at::kByte},
                                                       {"<u1", at::kByte},
                                                       {"<i4", at::kInt},
                                                       {"<i8", at::kLong}}};

/// What a header says: "{'descr': '<f4', 'fortran_order': False,
/// 'shape': (3, 4), }".
struct Header {
  std::optional<std::string> element_type;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

/// Reads the small part of Python's syntax that a header is written in. Every
/// function that reads something says whether it was there.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  bool parse(Header& header) {
    if (!accept("{")) return false;
    while (!accept("}")) {
      const std::optional<std::string> key = quoted();
      if (!key || !accept(":")) return false;
      if (!value(*key, header)) return false;
      if (!accept(",") && !next_is('}')) return false;
    }
    skip_blanks();
    return text_.empty() && header.element_type && header.fortran_order &&
           header.shape;
  }

 private:
  bool value(const std::string& key, Header& header) {
    if (key == "descr") return (header.element_type = quoted()).has_value();
    if (key == "shape") return (header.shape = sizes()).has_value();
    if (key != "fortran_order") return false;
    header.fortran_order = accept("True");
    return *header.fortran_order || accept("False");
  }

  std::optional<std::string> quoted() {
    skip_blanks();
    if (!next_is('\'') && !next_is('"')) return {};
    const auto end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) return {};
    const std::string inside(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return inside;
  }

  std::optional<Shape> sizes() {
    Shape shape;
    if (!accept("(")) return {};
    while (!accept(")")) {
      std::int64_t size = 0;
      const auto [rest, error] =
          std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc() || shape.size() == kMostDimensions) return {};
      text_.remove_prefix(static_cast<std::size_t>(rest - text_.data()));
      shape.push_back(size);
      if (!accept(",") && !next_is(')')) return {};
      skip_blanks();
    }
    return shape;
  }

  bool accept(std::string_view token) {
    skip_blanks();
    if (text_.substr(0, token.size()) != token) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  bool next_is(char c) const { return !text_.empty() && text_.front() == c; }

  void skip_blanks() {
    const auto first = text_.find_first_not_of(" \n");
    text_.remove_prefix(std::min(first, text_.size()));
  }

  std::string_view text_;
};

/// The length of the header, which takes two bytes in version 1 and four later.
std::int64_t header_length(ByteFile& file, int version) {
  std::int64_t length = 0;
  int shift = 0;
  for (const char byte : file.read(version == 1 ? 2 : 4, "its header")) {
    length |= std::int64_t{static_cast<unsigned char>(byte)} << shift;
    shift += 8;
  }
  return length;
}

at::ScalarType element_type(const ByteFile& file, const std::string& name) {
  for (const ElementType& known : kElementTypes) {
    if (known.name == name) return known.type;
  }
  file.fail(fmt::format(
      "expected elements of type f4, f8, u1, i4 or i8, little-endian, found "
      "'{}'",
      name));
}

}  // namespace

Tensor read_npy(const std::string& path) {
  ByteFile file(path);
  const std::string start = file.read(kMagic.size() + 2, "its header");
  if (start.substr(0, kMagic.size()) != kMagic) {
    file.fail("a .npy file starts with \\x93NUMPY, this one does not");
  }
  const int version = static_cast<unsigned char>(start[kMagic.size()]);
  if (version < 1 || version > 3) {
    file.fail(
        fmt::format("expected format version 1, 2 or 3, found {}", version));
  }
  const std::string text =
      file.read(header_length(file, version), "its header");
  Header header;
  if (!HeaderParser(text).parse(header)) {
    file.fail("its header is not a description of one plain array");
  }
  if (*header.fortran_order) {
    file.fail(
        "expected an array in C order, found fortran_order; save "
        "numpy.ascontiguousarray of it");
  }
  const Tensor array = file.read(
      *header.shape, element_type(file, *header.element_type), "numbers");
  file.expect_end();
  return array;
}

}  // namespace nestgrad
