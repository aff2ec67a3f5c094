#include "core/nn/exported/archive.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "core/nn/exported/json_parts.h"
#include "core/platform/exceptions.h"
#include "core/storage/zip_file.h"

namespace nestgrad {
namespace {

constexpr int kDeepest = 100;
constexpr std::int64_t kStrided = 7;  // as a layout
constexpr std::size_t kMostDimensions = 32;

/// A tensor may be larger than its storage, whose numbers it repeats then
/// (expand); up to this many numbers.
constexpr std::int64_t kMostRepeated = std::int64_t{1} << 24;

constexpr const char* kHowToWrite =
    "write it with PyTorch 2.8 or later: torch.export.save("
    "torch.export.export(network, (inputs,)), \"network.pt2\")";

Json parse(const std::string& text, const std::string& name) {
  const auto no_deeper = [&](int depth, Json::parse_event_t, Json&) {
    require(depth <= kDeepest, "'{}' has more than {} levels of nesting", name,
            kDeepest);
    return true;
  };
  Json json = Json::parse(text, no_deeper, false);
  require(json.is_object(), "'{}' is not a JSON object", name);
  return json;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// The folder in which all entries are: "network/". "" if there is none.
std::string top_folder(const ZipFile& zip) {
  const std::vector<std::string> names = zip.names();
  const std::string first = names.empty() ? "" : names.front();
  const std::string folder = first.substr(0, first.find('/') + 1);
  const bool common =
      std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        return name.compare(0, folder.size(), folder) == 0;
      });
  return common ? folder : "";
}

/// Throws Error, which says what the file is, unless it is an archive of
/// torch.export.save that this version reads.
void require_known_format(const ZipFile& zip, const std::string& top) {
  if (!zip.contains(top + "archive_format")) {
    const auto has = [&](const std::string& name) {
      return zip.contains(name) || zip.contains(top + name);
    };
    require(!has("serialized_exported_program.json"),
            "it was written by torch.export.save of PyTorch 2.7 or earlier; {}",
            kHowToWrite);
    require(!has("constants.pkl"),
            "it is a TorchScript file, which the model \"torchscript\" reads");
    require(!has("data.pkl"),
            "it was written by torch.save, which keeps numbers but no network; "
            "{}",
            kHowToWrite);
    throw Error(
        fmt::format("it is no archive of torch.export.save; {}", kHowToWrite));
  }
  const std::string format = zip.read(top + "archive_format");
  require(format == "pt2", "it has the format '{}', but 'pt2' is expected; {}",
          format, kHowToWrite);
  if (zip.contains(top + "byteorder")) {
    require(zip.read(top + "byteorder") == "little",
            "its numbers are not little-endian");
  }
  const std::string version = zip.read(top + "archive_version");
  require(version == "0",
          "its archives have version {}, and this program reads version 0; "
          "write it with an earlier PyTorch, from 2.8 on",
          version);
}

/// Entry `models/<name>.json`; the name.
std::string name_of_model(const ZipFile& zip, const std::string& top) {
  const std::string begin = top + "models/", end = ".json";
  std::vector<std::string> found;
  for (const std::string& name : zip.names()) {
    if (name.size() > begin.size() + end.size() &&
        name.compare(0, begin.size(), begin) == 0 && ends_with(name, end)) {
      found.push_back(
          name.substr(begin.size(), name.size() - begin.size() - end.size()));
    }
  }
  require(!found.empty(),
          "it holds no exported program (compiled code alone cannot be "
          "trained); {}",
          kHowToWrite);
  require(found.size() == 1, "it holds {} programs, and one is expected",
          found.size());
  return found.front();
}

std::vector<std::int64_t> fixed_sizes(const Json& list, const char* what) {
  std::vector<std::int64_t> out;
  require(list.is_array() && list.size() <= kMostDimensions,
          "its {} must be a list of at most {} numbers", what, kMostDimensions);
  for (const Json& one : list) {
    out.push_back(integer_of(one, "as_int"));
    require(out.back() >= 0, "its {} are negative", what);
  }
  return out;
}

/// One more than the last number of a storage that a tensor uses; 0 if the
/// tensor is empty. Throws Error unless it fits into `held` numbers.
std::int64_t numbers_needed(const std::vector<std::int64_t>& sizes,
                            const std::vector<std::int64_t>& strides,
                            std::int64_t offset, std::int64_t held) {
  std::int64_t last = offset, numel = 1;
  bool empty = false;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::int64_t span = 0;
    const std::int64_t size = std::max<std::int64_t>(sizes[i], 1);
    empty = empty || sizes[i] == 0;
    require(!__builtin_mul_overflow(numel, size, &numel) &&
                !__builtin_mul_overflow(size - 1, strides[i], &span) &&
                !__builtin_add_overflow(last, span, &last),
            "its shape [{}] is impossible", fmt::join(sizes, ", "));
  }
  if (empty) return 0;
  require(last < INT64_MAX, "its shape is impossible");
  require(last < held, "it needs {} numbers, but {} are stored", last + 1,
          held);
  require(numel <= std::max(held, kMostRepeated),
          "it repeats the {} numbers that are stored until they are {}", held,
          numel);
  return last + 1;
}

/// The entries of an archive as tensors, each read once for each type.
class Storages {
 public:
  explicit Storages(const ZipFile& zip) : zip_(zip) {}

  /// All numbers of the entry at `path`.
  const Tensor& numbers(const std::string& path, at::ScalarType type) {
    const auto [place, is_new] = read_.emplace(std::pair(path, type), Tensor());
    if (is_new) place->second = numbers_in(zip_.read(path), type);
    return place->second;
  }

 private:
  static Tensor numbers_in(const std::string& bytes, at::ScalarType type) {
    if (type == at::kBool) {
      require(std::all_of(bytes.begin(), bytes.end(),
                          [](char byte) { return byte == 0 || byte == 1; }),
              "it holds a bool that is neither 0 nor 1");
    }
    const auto held =
        static_cast<std::int64_t>(bytes.size() / elementSize(type));
    Tensor all = at::empty({held}, type);
    if (held > 0) std::memcpy(all.data_ptr(), bytes.data(), all.nbytes());
    return all;
  }

  const ZipFile& zip_;
  std::map<std::pair<std::string, at::ScalarType>, Tensor> read_;
};

/// The tensor that `meta` describes, a view of the entry at `path`.
ExportedTensor tensor_of(const Json& meta, const std::string& path,
                         Storages& storages) {
  require(integer_of(meta, "layout") == kStrided, "it is sparse");
  const at::ScalarType type = exported_scalar_type(integer_of(meta, "dtype"));
  const auto sizes = fixed_sizes(array_of(meta, "sizes"), "sizes");
  const auto strides = fixed_sizes(array_of(meta, "strides"), "strides");
  const std::int64_t offset =
      integer_of(object_of(meta, "storage_offset"), "as_int");
  require(strides.size() == sizes.size() && offset >= 0,
          "its strides or its offset do not fit its shape");
  const Tensor& all = storages.numbers(path, type);
  const std::int64_t needed =
      numbers_needed(sizes, strides, offset, all.numel());
  ExportedTensor out;
  out.storage = path;
  out.place =
      fmt::format("{} {} {} {} {}", path, offset, static_cast<int>(type),
                  fmt::join(sizes, ","), fmt::join(strides, ","));
  out.requires_grad =
      meta.contains("requires_grad") && meta["requires_grad"] == true;
  if (needed == 0) {
    out.value = at::empty(sizes, type);
    return out;
  }
  const auto width = static_cast<std::int64_t>(elementSize(type));
  out.value = all.as_strided(sizes, strides, offset);
  out.begin = offset * width;
  out.end = needed * width;
  return out;
}

/// The tensors that the file `config` of `folder` lists.
std::map<std::string, ExportedTensor> read_tensors(const ZipFile& zip,
                                                   const std::string& folder,
                                                   const std::string& config) {
  std::map<std::string, ExportedTensor> out;
  Storages storages(zip);
  if (!zip.contains(folder + config)) return out;
  const Json about = parse(zip.read(folder + config), config);
  for (const auto& [name, payload] : object_of(about, "config").items()) {
    try {
      require(payload.is_object(), "it is not described by an object");
      if (!payload.contains("tensor_meta") ||
          payload["tensor_meta"].is_null()) {
        continue;  // an object of a class; only if an operator uses it
      }
      require(!payload.contains("use_pickle") || payload["use_pickle"] == false,
              "it is of a class of its own, which is stored by pickle");
      const Json& meta = object_of(payload, "tensor_meta");
      const std::string& path = text_of(payload, "path_name");
      out.emplace(name, tensor_of(meta, folder + path, storages));
    } catch (const Error& error) {
      throw Error(fmt::format("the tensor '{}': {}", name, error.what()));
    }
  }
  return out;
}

}  // namespace

at::ScalarType exported_scalar_type(std::int64_t number) {
  switch (number) {
    case 1:
      return at::kByte;
    case 2:
      return at::kChar;
    case 3:
      return at::kShort;
    case 4:
      return at::kInt;
    case 5:
      return at::kLong;
    case 6:
      return at::kHalf;
    case 7:
      return at::kFloat;
    case 8:
      return at::kDouble;
    case 12:
      return at::kBool;
    case 13:
      return at::kBFloat16;
    default:
      throw Error(fmt::format(
          "the element type number {} of PyTorch (complex, unsigned or of 8 "
          "bits) is not supported",
          number));
  }
}

ExportedArchive read_exported_archive(const std::string& path) {
  const ZipFile zip(path);
  try {
    const std::string top = top_folder(zip);
    require_known_format(zip, top);
    const std::string model = name_of_model(zip, top);
    ExportedArchive out;
    out.program = parse(zip.read(top + "models/" + model + ".json"), model);
    out.weights = read_tensors(zip, top + "data/weights/",
                               model + "_weights_config.json");
    out.constants = read_tensors(zip, top + "data/constants/",
                                 model + "_constants_config.json");
    return out;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) throw;
    throw Error(fmt::format("'{}' cannot be read: {}", path, one_line(error)));
  }
}

}  // namespace nestgrad
