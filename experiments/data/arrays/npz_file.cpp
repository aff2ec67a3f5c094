#include "experiments/data/arrays/npz_file.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/data/arrays/byte_file.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/arrays/npy_header.h"

namespace nestgrad {
namespace {

/// The types that are written.
struct ElementType {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array<ElementType, 5> kElementTypes = {{{"<f4", at::kFloat},
                                                       {"<f8", at::kDouble},
                                                       {"|u1", at::kByte},
                                                       {"<i4", at::kInt},
                                                       {"<i8", at::kLong}}};

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
  const std::size_t before = kNpyMagic.size() + 4;
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(kNpyMagic);
  bytes += {1, 0, static_cast<char>(header.size() & 0xFF),
            static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(static_cast<const char*>(t.data_ptr()), t.nbytes());
  return bytes;
}

constexpr const char* kSuffix = ".npy";

/// The largest array that is read from an archive, in bytes.
constexpr std::uint64_t kLargestArray = std::uint64_t{16} << 30;

// An archive in memory, with the functions that release it.
using Source = std::unique_ptr<zip_source_t, void (*)(zip_source_t*)>;
using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;

[[noreturn]] void fail(const std::string& path, zip_error_t& error) {
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error(fmt::format("'{}': not a usable .npz file: {}", path, reason));
}

Archive opened(const std::string& path) {
  const ByteFile is_a_file(path);  // or this throws
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code), zip_discard);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fail(path, error);
  }
  return archive;
}

zip_stat_t entry_of(const Archive& archive, zip_uint64_t i,
                    const std::string& path) {
  zip_stat_t about;
  require(zip_stat_index(archive.get(), i, 0, &about) == 0,
          "'{}': entry {} is damaged", path, i);
  return about;
}

std::string array_name(const zip_stat_t& about) {
  std::string name = about.name;
  const std::size_t stem = name.size() - std::min<std::size_t>(4, name.size());
  if (name.substr(stem) == kSuffix) name.resize(stem);
  return name;
}

}  // namespace

std::vector<std::string> npz_names(const std::string& path) {
  const Archive archive = opened(path);
  std::vector<std::string> names;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(entries); ++i) {
    names.push_back(array_name(entry_of(archive, i, path)));
  }
  return names;
}

std::map<std::string, Tensor> read_npz(const std::string& path,
                                       const std::vector<std::string>& wanted) {
  const Archive archive = opened(path);
  std::map<std::string, Tensor> arrays;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(entries); ++i) {
    const zip_stat_t about = entry_of(archive, i, path);
    const std::string name = array_name(about);
    const std::string place = path + ": " + about.name;
    if (!wanted.empty() &&
        std::count(wanted.begin(), wanted.end(), name) == 0) {
      continue;
    }
    require(about.size <= kLargestArray,
            "'{}': has {:.1f} GiB, more than the {} GiB that are read from an "
            "archive; save it with numpy.save",
            place, static_cast<double>(about.size) / (1 << 30),
            kLargestArray >> 30);
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
    ByteFile file(place, bytes);
    bytes = {};  // the file has a copy
    arrays[name] = read_npy(std::move(file));
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
