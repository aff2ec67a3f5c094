#include "experiments/data/npy_file.h"

#include <ATen/ATen.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
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

/// The contents of a header: "{'descr': '<f4', 'fortran_order': False, 'shape':
/// (3, 4), }".
struct Header {
  std::optional<std::string> element_type;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

/// Parses the part of Python's syntax that headers use. Every function returns
/// whether it found what it reads.
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

/// The length of the header: two bytes in version 1, four in later ones.
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
      "'{}'; save array.astype(\"f4\"), for instance",
      name));
}

Tensor read_array(ByteFile file) {
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
    file.fail("its header does not describe a single plain array");
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

/// The bytes of a .npy file with this array, format version 1.
std::string npy_bytes(const Tensor& array) {
  const Tensor t = array.detach().to(at::kCPU).contiguous();
  const auto type = std::find_if(
      kElementTypes.begin(), kElementTypes.end(),
      [&](const ElementType& known) { return known.type == t.scalar_type(); });
  require(type != kElementTypes.end(), "a .npy file cannot hold {}",
          c10::toString(t.scalar_type()));
  std::string header = fmt::format(
      "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
      type->name, fmt::join(t.sizes(), ", "), t.dim() == 1 ? "," : "");
  // Numbers begin at a multiple of 64 bytes.
  const std::size_t before = kMagic.size() + 4;
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += {1, 0, static_cast<char>(header.size() & 0xFF),
            static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(static_cast<const char*>(t.data_ptr()), t.nbytes());
  return bytes;
}

constexpr const char* kSuffix = ".npy";

/// The largest archive that is read into memory at once.
constexpr std::int64_t kLargestArchive = std::int64_t{16} << 30;

// An archive in memory, with the functions that release it.
using Source = std::unique_ptr<zip_source_t, void (*)(zip_source_t*)>;
using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;

[[noreturn]] void fail(const std::string& path, zip_error_t& error) {
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error(fmt::format("'{}': not a usable .npz file: {}", path, reason));
}

}  // namespace

Tensor read_npy(const std::string& path) { return read_array(ByteFile(path)); }

std::map<std::string, Tensor> read_npz(const std::string& path,
                                       const std::vector<std::string>& wanted) {
  ByteFile(path).path();  // throws if it is not a file
  int code = 0;
  const Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code), zip_discard);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fail(path, error);
  }
  std::map<std::string, Tensor> arrays;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(entries); ++i) {
    zip_stat_t about;
    require(zip_stat_index(archive.get(), i, 0, &about) == 0 &&
                about.size <= static_cast<zip_uint64_t>(kLargestArchive),
            "'{}': entry {} is damaged", path, i);
    std::string name = about.name;
    const std::string place = path + ": " + name;
    const std::size_t stem =
        name.size() - std::min<std::size_t>(4, name.size());
    if (name.substr(stem) == kSuffix) name.resize(stem);
    if (!wanted.empty() && std::count(wanted.begin(), wanted.end(), name) == 0)
      continue;
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> entry(
        zip_fopen_index(archive.get(), i, 0), zip_fclose);
    require(entry != nullptr, "'{}': cannot be unpacked: {}", place,
            zip_strerror(archive.get()));
    std::string bytes, chunk(std::size_t{1} << 20, 0);
    zip_int64_t n = 0;
    while (bytes.size() <= about.size &&
           (n = zip_fread(entry.get(), chunk.data(), chunk.size())) > 0) {
      bytes.append(chunk, 0, static_cast<std::size_t>(n));
    }
    require(n >= 0 && bytes.size() == about.size, "'{}': is damaged", place);
    arrays[name] = read_array(ByteFile(place, bytes));
  }
  return arrays;
}

void save_npz(const std::string& path, const ParameterSet& arrays) {
  zip_error_t error;
  zip_error_init(&error);
  const Source source(zip_source_buffer_create(nullptr, 0, 0, &error),
                      zip_source_free);
  if (source == nullptr) fail(path, error);
  Archive archive(zip_open_from_source(source.get(), ZIP_TRUNCATE, &error),
                  zip_discard);
  if (archive == nullptr) fail(path, error);
  zip_source_keep(source.get());      // kept after zip_close()
  std::vector<std::string> contents;  // must outlive the archive
  contents.reserve(arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::string& bytes =
        contents.emplace_back(npy_bytes(arrays.tensors()[i]));
    zip_source_t* const data =
        zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
    const std::string name = arrays.name(i) + kSuffix;
    const zip_int64_t index =
        zip_file_add(archive.get(), name.c_str(), data, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(data);
    const auto place = static_cast<zip_uint64_t>(index);
    // Always 1980-01-01, so that equal arrays give equal bytes.
    const bool added =
        index >= 0 &&
        zip_set_file_compression(archive.get(), place, ZIP_CM_STORE, 0) == 0 &&
        zip_file_set_dostime(archive.get(), place, 0, 1 << 5 | 1, 0) == 0;
    require(added, "'{}': cannot be written: {}", path,
            zip_strerror(archive.get()));
  }
  require(zip_close(archive.get()) == 0, "'{}': cannot be written: {}", path,
          zip_strerror(archive.get()));
  archive.release();

  zip_stat_t about;
  std::string bytes;
  if (zip_source_stat(source.get(), &about) == 0) bytes.resize(about.size);
  const bool read = zip_source_open(source.get()) == 0 &&
                    zip_source_read(source.get(), bytes.data(), bytes.size()) ==
                        static_cast<zip_int64_t>(bytes.size());
  require(read && !bytes.empty(), "'{}': cannot be written", path);
  zip_source_close(source.get());
  write_file(path, bytes);
}

}  // namespace nestgrad
