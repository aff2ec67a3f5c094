#include "core/storage/snapshot_file.h"

#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

#include "core/platform/exceptions.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"

namespace nestgrad {
namespace {

constexpr int kFormat = 1;
constexpr const char* kFirstWords = "nestgrad checkpoint";

std::uint32_t checksum(const std::vector<std::string_view>& pieces) {
  uLong sum = crc32(0, nullptr, 0);
  for (const std::string_view bytes : pieces) {
    if (bytes.empty()) continue;  // null, which would make zlib start again
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(bytes.data()),
                  bytes.size());
  }
  return static_cast<std::uint32_t>(sum);
}

std::string first_line(int format, std::uint32_t sum, std::size_t length) {
  return fmt::format("{} {} {:08x} {}\n", kFirstWords, format, sum, length);
}

/// The bytes after the first line. Throws if that line does not match them.
std::string_view checked_body(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, 100).find('\n');
  require(end != std::string_view::npos, "it has no first line");
  const std::string line(bytes.substr(0, end + 1));
  int format = 0;
  const std::string pattern = fmt::format("{} %9d ", kFirstWords);
  require(std::sscanf(line.c_str(), pattern.c_str(), &format) == 1,
          "it does not begin like a checkpoint");
  const std::string_view body = bytes.substr(end + 1);
  require(line == first_line(format, checksum({body}), body.size()),
          "its length or its checksum is wrong");
  if (format != kFormat) {
    throw OtherFormat(
        fmt::format("it has format {}, and this version of nestgrad reads {}",
                    format, kFormat));
  }
  return body;
}

/// A file stores tensors contiguously, on the CPU. This describes their memory
/// layout and device if these differ, because sums over another layout are
/// rounded differently.
Json layout_of(const Tensor& t) {
  Json layout = Json::object();
  if (!t.is_contiguous() && t.is_non_overlapping_and_dense()) {
    layout["strides"] = t.strides().vec();
  }
  if (!t.device().is_cpu()) layout["device"] = t.device().str();
  return layout;
}

/// Whether these strides are those of a tensor without gaps.
bool is_dense(at::IntArrayRef sizes, const std::vector<std::int64_t>& strides) {
  if (sizes.size() != strides.size()) return false;
  std::vector<std::pair<std::int64_t, std::int64_t>> by_stride;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 1) by_stride.emplace_back(strides[i], sizes[i]);
  }
  std::sort(by_stride.begin(), by_stride.end());
  std::int64_t expected = 1;
  for (const auto& [stride, size] : by_stride) {
    if (stride != expected) return false;
    expected *= size;  // of a valid tensor
  }
  return true;
}

Tensor laid_out(const Tensor& t, const Json& layout) {
  Tensor out = t;
  if (layout.contains("strides")) {
    const auto strides = layout["strides"].get<std::vector<std::int64_t>>();
    require(is_dense(t.sizes(), strides), "it has strides that do not fit");
    out = at::empty_strided(t.sizes(), strides, t.options()).copy_(t);
  }
  return out;
}

std::string key_of(std::size_t number) { return fmt::format("{}", number); }

EncodedSafetensors encoded_body(const Snapshot& snapshot, const Json& about) {
  // Tensors are numbered consecutively; the list of sets assigns them.
  ParameterSet tensors;
  Json sets = Json::array(), layouts = Json::object(), numbers = Json::array();
  for (const auto& [name, set] : snapshot.sets) {
    Json names = Json::array();
    for (std::size_t i = 0; i < set.size(); ++i) {
      const Tensor& t = set.tensors()[i];
      const std::string key = key_of(tensors.size());
      names.push_back(set.name(i));
      if (Json layout = layout_of(t); !layout.empty()) layouts[key] = layout;
      tensors.insert(key, t);
    }
    sets.push_back({{"path", name}, {"names", names}});
  }
  // Stored as a tensor, because JSON has no infinity.
  std::vector<double> values;
  for (const auto& [name, value] : snapshot.numbers) {
    numbers.push_back(name);
    values.push_back(value);
  }
  tensors.insert("numbers", at::tensor(values, at::kDouble));
  return {tensors,
          {{"about", about.dump()},
           {"sets", sets.dump()},
           {"layouts", layouts.dump()},
           {"integers", Json(snapshot.integers).dump()},
           {"texts", Json(snapshot.texts).dump()},
           {"numbers", numbers.dump()}}};
}

/// The bytes of a snapshot, in pieces; those of tensors are not copied.
class Encoded {
 public:
  Encoded(const Snapshot& snapshot, const Json& about)
      : body_(encoded_body(snapshot, about)) {
    std::size_t length = 0;
    for (const std::string_view bytes : body_.pieces()) length += bytes.size();
    line_ = first_line(kFormat, checksum(body_.pieces()), length);
  }

  /// Valid during the life of this object.
  std::vector<std::string_view> pieces() const {
    std::vector<std::string_view> out{line_};
    for (const std::string_view bytes : body_.pieces()) out.push_back(bytes);
    return out;
  }

 private:
  EncodedSafetensors body_;
  std::string line_;
};

struct Loaded {
  SavedSnapshot saved;
  /// Devices of tensors that were not on the CPU, by set and index.
  std::map<std::string, std::map<std::size_t, std::string>> elsewhere;
};

Loaded loaded(std::string_view bytes) {
  const DecodedSafetensors file = decode_safetensors(checked_body(bytes));
  const auto json = [&](const char* key) {
    const auto found = file.metadata.find(key);
    require(found != file.metadata.end(), "it lacks '{}'", key);
    return Json::parse(found->second);
  };
  Loaded out;
  Snapshot& snapshot = out.saved.snapshot;
  out.saved.about = json("about");
  const Json layouts = json("layouts"), sets = json("sets");
  std::size_t count = 0;
  for (const Json& entry : sets) {
    const auto path = entry.at("path").get<std::string>();
    ParameterSet& set = snapshot.sets[path];
    for (const Json& name : entry.at("names")) {
      const std::string key = key_of(count++);
      const Json layout = layouts.value(key, Json::object());
      if (layout.contains("device")) {
        layout["device"].get_to(out.elsewhere[path][set.size()]);
      }
      set.insert(name.get<std::string>(), laid_out(file.set.at(key), layout));
    }
  }
  json("integers").get_to(snapshot.integers);
  json("texts").get_to(snapshot.texts);
  const Tensor values = file.set.at("numbers");
  const Json numbers = json("numbers");
  std::int64_t i = 0;
  for (const Json& name : numbers) {
    snapshot.numbers[name.get<std::string>()] = values[i++].item<double>();
  }
  return out;
}

/// `where`: what the bytes are of.
SavedSnapshot decoded(std::string_view bytes, const std::string& where) {
  Loaded out;
  try {
    out = loaded(bytes);
  } catch (const OtherFormat& error) {
    throw OtherFormat(fmt::format("{}: {}", where, error.what()));
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) throw;
    // Rarely needed, since the checksum is correct. c10 and JSON throw their
    // own errors.
    throw DamagedSnapshot(fmt::format("{}: {}", where, error.what()));
  }
  // A missing device does not make the file damaged.
  for (const auto& [path, devices] : out.elsewhere) {
    ParameterSet& set = out.saved.snapshot.sets.at(path);
    std::vector<Tensor> tensors = set.tensors();
    for (const auto& [place, device] : devices) {
      tensors[place] = tensors[place].to(c10::Device(device));
    }
    set = set.with(std::move(tensors));
  }
  return std::move(out.saved);
}

}  // namespace

void save_snapshot(const std::string& path, const Snapshot& snapshot,
                   const Json& about) {
  write_file(path, Encoded(snapshot, about).pieces());
}

SavedSnapshot load_snapshot(const std::string& path) {
  return decoded(read_file(path), path);
}

std::string encode_snapshot(const Snapshot& snapshot, const Json& about) {
  const Encoded encoded(snapshot, about);
  std::string out;
  for (const std::string_view bytes : encoded.pieces()) out += bytes;
  return out;
}

SavedSnapshot decode_snapshot(std::string_view bytes) {
  return decoded(bytes, "a snapshot in memory");
}

}  // namespace nestgrad
