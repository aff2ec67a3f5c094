#include "experiments/data/arrays/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace nestgrad {
namespace {

constexpr std::size_t kMostDimensions = 32;

/// The contents of a header: "{'descr': '<f4', 'fortran_order': False, 'shape':
/// (3, 4), }".
struct Contents {
  std::optional<std::string> element_type;  // "[...]" of a structured array
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

/// Parses the part of Python's syntax that headers use. Every function returns
/// whether it found what it reads.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  bool parse(Contents& header) {
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
  bool value(const std::string& key, Contents& header) {
    if (key == "descr") return (header.element_type = described()).has_value();
    if (key == "shape") return (header.shape = sizes()).has_value();
    if (key != "fortran_order") return false;
    header.fortran_order = accept("True");
    return *header.fortran_order || accept("False");
  }

  /// The type of an element: a quoted name, or "[...]" for a list of fields.
  std::optional<std::string> described() {
    skip_blanks();
    if (!next_is('[')) return quoted();
    int depth = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '[') ++depth;
      if (text_[i] == ']' && --depth == 0) {
        text_.remove_prefix(i + 1);
        return "[...]";
      }
    }
    return {};
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

/// What may be done about elements that are not plain numbers.
const char* advice_on(const std::string& name) {
  switch (name.empty() ? '?' : name[name.size() > 1 ? 1 : 0]) {
    case '.':
      return "a structured array; save numpy.lib.recfunctions."
             "structured_to_unstructured(array)";
    case 'c':
      return "complex numbers; save array.real, or numpy.stack([array.real, "
             "array.imag], -1)";
    case 'O':
      return "Python objects; save numpy.stack(array) if they are arrays of "
             "one shape, array.astype(\"f8\") if they are numbers";
    case 'U':
    case 'S':
      return "texts; save numpy.unique(array, return_inverse=True)[1] if they "
             "are names of classes, array.astype(\"f8\") if they are numbers";
    case 'M':
    case 'm':
      return "times; save array.astype(\"i8\")";
    default:
      return "no plain numbers; save array.astype(\"f8\")";
  }
}

std::optional<NumberType> number_type(const std::string& name) {
  struct Known {
    std::string_view name;
    at::ScalarType stored, value;
    bool is_unsigned;
  };
  static constexpr Known kKnown[] = {{"b1", at::kByte, at::kBool, false},
                                     {"u1", at::kByte, at::kByte, false},
                                     {"u2", at::kShort, at::kInt, true},
                                     {"u4", at::kInt, at::kLong, true},
                                     {"u8", at::kLong, at::kLong, true},
                                     {"i1", at::kChar, at::kChar, false},
                                     {"i2", at::kShort, at::kShort, false},
                                     {"i4", at::kInt, at::kInt, false},
                                     {"i8", at::kLong, at::kLong, false},
                                     {"f2", at::kHalf, at::kHalf, false},
                                     {"f4", at::kFloat, at::kFloat, false},
                                     {"f8", at::kDouble, at::kDouble, false}};
  if (name.size() != 3) return {};
  const bool big = name[0] == '>';
  // Only single bytes have no order.
  const bool one = name[0] == '|' && name[2] == '1';
  if (!big && !one && name[0] != '<') return {};
  for (const Known& known : kKnown) {
    if (name.compare(1, 2, known.name) == 0) {
      return NumberType{known.stored, known.value, big, known.is_unsigned};
    }
  }
  return {};
}

std::int64_t little_endian(const std::string& bytes) {
  std::int64_t number = 0;
  int shift = 0;
  for (const char byte : bytes) {
    number |= std::int64_t{static_cast<unsigned char>(byte)} << shift;
    shift += 8;
  }
  return number;
}

}  // namespace

NpyHeader read_npy_header(ByteFile& file) {
  const std::string start = file.read(kNpyMagic.size() + 2, "its header");
  if (start.substr(0, kNpyMagic.size()) != kNpyMagic) {
    file.fail("a .npy file starts with \\x93NUMPY, this one does not");
  }
  const int version = static_cast<unsigned char>(start[kNpyMagic.size()]);
  if (version < 1 || version > 3) {
    file.fail(
        fmt::format("expected format version 1, 2 or 3, found {}", version));
  }
  const std::int64_t digits = version == 1 ? 2 : 4;
  const std::int64_t text_length =
      little_endian(file.read(digits, "its header"));
  const std::string text = file.read(text_length, "its header");
  Contents contents;
  if (!HeaderParser(text).parse(contents)) {
    file.fail("its header does not describe a single plain array");
  }
  const std::optional<NumberType> type = number_type(*contents.element_type);
  if (!type) {
    file.fail(fmt::format("its elements ('{}') are {}", *contents.element_type,
                          advice_on(*contents.element_type)));
  }
  const auto before = static_cast<std::int64_t>(kNpyMagic.size()) + 2 + digits;
  return {*type, *contents.shape, *contents.fortran_order,
          before + text_length};
}

}  // namespace nestgrad
