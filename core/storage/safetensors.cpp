#include "core/storage/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/json_file.h"
#include "core/platform/error.h"
#include "core/platform/files.h"

namespace nestgrad {
namespace {

// Layout of a file: the length of the header (8 bytes, little-endian), the
// header (JSON, padded with spaces), the numbers of all tensors without gaps.
// Numbers are little-endian, as on every machine that LibTorch supports.
constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::size_t kMostDimensions = 64;
constexpr const char* kMetadata = "__metadata__";

struct ElementType {
  const char* name;
  at::ScalarType type;
};

/// The types that are read and written.
constexpr std::array<ElementType, 5> kElementTypes = {{{"F32", at::kFloat},
                                                       {"F64", at::kDouble},
                                                       {"I64", at::kLong},
                                                       {"U8", at::kByte},
                                                       {"BOOL", at::kBool}}};

/// Those that are only read, from files of other programs.
constexpr std::array<ElementType, 5> kOtherTypes = {{{"F16", at::kHalf},
                                                     {"BF16", at::kBFloat16},
                                                     {"I32", at::kInt},
                                                     {"I16", at::kShort},
                                                     {"I8", at::kChar}}};

std::string encoded_length(std::uint64_t length) {
  std::string bytes;
  for (std::uint64_t i = 0; i < kLengthBytes; ++i) {
    bytes += static_cast<char>(length >> (8 * i) & 0xff);
  }
  return bytes;
}

std::uint64_t decoded_length(std::string_view bytes) {
  std::uint64_t length = 0;
  for (std::uint64_t i = 0; i < kLengthBytes; ++i) {
    length |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return length;
}

/// The description of a tensor in the header.
struct Entry {
  std::string name;
  Json type_name;
  std::optional<at::ScalarType> type;  // none: it is not known
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, relative to the header's end
};

// The functions below throw Error with a reason that does not name the file.

std::uint64_t whole_number(const Json& json, const Entry& entry) {
  require(json.is_number_unsigned() &&
              json.get<std::uint64_t>() <= std::uint64_t{INT64_MAX},
          "tensor '{}' has a shape or an offset that is not a whole number",
          entry.name);
  return json.get<std::uint64_t>();
}

const Json& part(const Json& description, const char* key, const Entry& entry) {
  require(description.is_object() && description.contains(key),
          "tensor '{}' lacks '{}'", entry.name, key);
  return description[key];
}

/// The element type of this name among some; none if it is not one of them.
template <std::size_t n>
std::optional<at::ScalarType> type_among(
    const std::array<ElementType, n>& types, const Json& name) {
  for (const ElementType& known : types) {
    if (name == known.name) return known.type;
  }
  return {};
}

/// The number of bytes of a tensor of this type and shape.
std::uint64_t byte_count(const Entry& entry) {
  // Sizes of 0 are skipped first, because LibTorch also multiplies the others.
  auto bytes = static_cast<std::int64_t>(c10::elementSize(*entry.type));
  bool empty = false;
  for (const std::int64_t size : entry.shape) {
    empty = empty || size == 0;
    require(!__builtin_mul_overflow(bytes, size == 0 ? 1 : size, &bytes),
            "tensor '{}' has an impossible size", entry.name);
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

Entry parse_entry(const std::string& name, const Json& description) {
  Entry entry;
  entry.name = name;
  entry.type_name = part(description, "dtype", entry);
  entry.type = type_among(kElementTypes, entry.type_name);
  if (!entry.type) entry.type = type_among(kOtherTypes, entry.type_name);
  const Json& shape = part(description, "shape", entry);
  require(shape.is_array() && shape.size() <= kMostDimensions,
          "tensor '{}' must have a list of at most {} sizes as its shape", name,
          kMostDimensions);
  for (const Json& size : shape) {
    entry.shape.push_back(static_cast<std::int64_t>(whole_number(size, entry)));
  }
  const Json& offsets = part(description, "data_offsets", entry);
  require(offsets.is_array() && offsets.size() == 2,
          "tensor '{}' must have two data offsets", name);
  entry.begin = whole_number(offsets[0], entry);
  entry.end = whole_number(offsets[1], entry);
  const std::uint64_t bytes =
      entry.type ? byte_count(entry) : entry.end - entry.begin;
  require(entry.begin <= entry.end && entry.end - entry.begin == bytes,
          "tensor '{}' needs {} bytes, but its offsets are {} and {}", name,
          bytes, entry.begin, entry.end);
  return entry;
}

Json parse_header(std::string_view text) {
  std::set<std::string> names;
  const auto refuse_repeated_names = [&](int depth, Json::parse_event_t event,
                                         Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key) {
      const auto name = parsed.get<std::string>();
      require(names.insert(name).second, "tensor '{}' is there twice", name);
    }
    return true;
  };
  const Json header = Json::parse(text, refuse_repeated_names, false);
  require(header.is_object(), "its header is not a JSON object");
  return header;
}

std::vector<Entry> entries_of(const Json& header) {
  std::vector<Entry> entries;
  for (const auto& [name, description] : header.items()) {
    if (name != kMetadata) entries.push_back(parse_entry(name, description));
  }
  return entries;
}

/// The string entries. The format allows no others; they are ignored.
std::map<std::string, std::string> metadata_of(const Json& header) {
  std::map<std::string, std::string> out;
  if (!header.contains(kMetadata) || !header[kMetadata].is_object()) return out;
  for (const auto& [name, value] : header[kMetadata].items()) {
    if (value.is_string()) out[name] = value.get<std::string>();
  }
  return out;
}

/// Throws Error unless the tensors fill `bytes` bytes without gap or overlap.
void require_contiguous(std::vector<Entry> entries, std::uint64_t bytes) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    require(entry.begin == end,
            "tensor '{}' should start at byte {} of the data, starts at {}",
            entry.name, end, entry.begin);
    end = entry.end;
  }
  require(end == bytes, "its header describes {} bytes of data, there are {}",
          end, bytes);
}

Tensor read_tensor(const Entry& entry, std::string_view data) {
  const std::string_view bytes =
      data.substr(entry.begin, entry.end - entry.begin);
  const bool is_bool = *entry.type == at::kBool;
  require(
      !is_bool || std::all_of(bytes.begin(), bytes.end(),
                              [](char byte) { return byte == 0 || byte == 1; }),
      "tensor '{}' holds a BOOL that is neither 0 nor 1", entry.name);
  Tensor tensor = at::empty(entry.shape, *entry.type);
  if (!bytes.empty()) {
    std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  }
  return tensor;
}

const char* name_of(at::ScalarType type, const std::string& tensor) {
  for (const ElementType& known : kElementTypes) {
    if (known.type == type) return known.name;
  }
  throw Error(fmt::format(
      "tensor '{}' must be float32, float64, int64, uint8 or bool, is {}",
      tensor, c10::toString(type)));
}

/// The part of the file before the numbers.
std::string encode_header(const ParameterSet& set,
                          const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::size_t end = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const Tensor& tensor = set.tensors()[i];
    require(tensor.defined() && set.name(i) != kMetadata,
            "tensor '{}' has no numbers or a reserved name", set.name(i));
    const std::size_t begin = end;
    end += tensor.nbytes();
    header[set.name(i)] = {
        {"dtype", name_of(tensor.scalar_type(), set.name(i))},
        {"shape", tensor.sizes().vec()},
        {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  // Padded, so that numbers are aligned in a mapped file.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return encoded_length(text.size()) + text;
}

}  // namespace

EncodedSafetensors::EncodedSafetensors(
    const ParameterSet& set,
    const std::map<std::string, std::string>& metadata) {
  try {
    header_ = encode_header(set, metadata);
  } catch (const Json::exception&) {
    throw Error("a name is not UTF-8");
  }
  for (const Tensor& t : set.tensors()) {
    tensors_.push_back(t.detach().cpu().contiguous());
  }
}

std::vector<std::string_view> EncodedSafetensors::pieces() const {
  std::vector<std::string_view> out = {header_};
  for (const Tensor& t : tensors_) {
    out.emplace_back(static_cast<const char*>(t.data_ptr()), t.nbytes());
  }
  return out;
}

namespace {

/// A file whose header has been read.
struct Opened {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string_view data;
};

Opened opened(std::string_view bytes) {
  require(bytes.size() >= kLengthBytes,
          "it has {} bytes, and 8 or more are expected", bytes.size());
  const std::uint64_t length = decoded_length(bytes);
  bytes.remove_prefix(kLengthBytes);
  require(length <= kLongestHeader && length <= bytes.size(),
          "it announces a header of {} bytes, but {} follow", length,
          bytes.size());
  const Json header = parse_header(bytes.substr(0, length));
  Opened out{entries_of(header), metadata_of(header), bytes.substr(length)};
  require_contiguous(out.entries, out.data.size());
  return out;
}

/// f(), of which mistakes in the file are reported with its path.
template <class F>
auto reported_at(const std::string& path, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(fmt::format("'{}' is not a safetensors file as expected: {}",
                            path, error.what()));
  }
}

}  // namespace

DecodedSafetensors decode_safetensors(std::string_view bytes) {
  Opened file = opened(bytes);
  DecodedSafetensors out{{}, std::move(file.metadata)};
  for (const Entry& entry : file.entries) {
    require(type_among(kElementTypes, entry.type_name).has_value(),
            "tensor '{}' has the element type {}; F32, F64, I64, U8 or BOOL is "
            "expected",
            entry.name, to_line(entry.type_name));
    out.set.insert(entry.name, read_tensor(entry, file.data));
  }
  return out;
}

void save_safetensors(const std::string& path, const ParameterSet& set,
                      const std::map<std::string, std::string>& metadata) {
  const auto encoded = [&] {
    try {
      return EncodedSafetensors(set, metadata);
    } catch (const Error& error) {
      throw Error(fmt::format("cannot write '{}': {}", path, error.what()));
    }
  }();
  write_file(path, encoded.pieces());
}

ParameterSet load_safetensors(const std::string& path) {
  const std::string bytes = read_file(path);
  return reported_at(path, [&] { return decode_safetensors(bytes).set; });
}

ParameterSet load_safetensors(const std::string& path,
                              const std::vector<std::string>& wanted) {
  const std::string bytes = read_file(path);
  return reported_at(path, [&] {
    const Opened file = opened(bytes);
    ParameterSet out;
    for (const Entry& entry : file.entries) {
      if (std::count(wanted.begin(), wanted.end(), entry.name) == 0) continue;
      require(entry.type.has_value(),
              "tensor '{}' has the element type {}; F16, BF16, F32, F64, I8, "
              "I16, I32, I64, U8 or BOOL is expected",
              entry.name, to_line(entry.type_name));
      out.insert(entry.name, read_tensor(entry, file.data));
    }
    return out;
  });
}

Tensor load_tensor(const Config& config, const std::string& key,
                   const std::string& name, const std::string& key_of_name) {
  const std::string path = config.path(key);
  ParameterSet found;
  try {
    found = load_safetensors(path, {name});
  } catch (const Error& error) {
    config.fail(key, error.what());
  }
  if (found.empty()) {
    config.fail(key_of_name,
                fmt::format("'{}' has no tensor '{}'", path, name));
  }
  return found.tensors()[0];
}

std::vector<std::string> safetensors_names(const std::string& path) {
  const std::string bytes = read_file(path);
  return reported_at(path, [&] {
    std::vector<std::string> names;
    for (const Entry& entry : opened(bytes).entries) {
      names.push_back(entry.name);
    }
    return names;
  });
}

}  // namespace nestgrad
