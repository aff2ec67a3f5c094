#include "experiments/export/tensorboard.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"

namespace nestgrad {
namespace {

/// Castagnoli's polynomial, reflected.
constexpr std::uint32_t kPolynomial = 0x82F63B78;

std::uint32_t crc32c(const std::string& bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> out{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) {
        c = (c & 1U) != 0 ? c >> 1 ^ kPolynomial : c >> 1;
      }
      out[i] = c;
    }
    return out;
  }();
  std::uint32_t c = 0xFFFFFFFF;
  for (const char byte : bytes) {
    c = table[(c ^ static_cast<unsigned char>(byte)) & 0xFF] ^ c >> 8;
  }
  return c ^ 0xFFFFFFFF;
}

/// The masked checksum that records contain.
std::uint32_t masked(std::uint32_t c) {
  return (c >> 15 | c << 17) + 0xA282EAD8;
}

template <class T>
std::string bytes_of(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string record(const std::string& data) {
  const std::string length = bytes_of<std::uint64_t>(data.size());
  return length + bytes_of(masked(crc32c(length))) + data +
         bytes_of(masked(crc32c(data)));
}

// In protocol buffers a field is its number and kind, then its value.

enum WireKind { kVarint = 0, kEightBytes = 1, kBytes = 2, kFourBytes = 5 };

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value > 127; value >>= 7) out += static_cast<char>(value | 128);
  return out + static_cast<char>(value);
}

std::string field(unsigned number, WireKind kind, const std::string& value) {
  return varint(number << 3 | kind) +
         (kind == kBytes ? varint(value.size()) : "") + value;
}

/// Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }
std::string event(double wall_time, const std::string& rest) {
  return record(field(1, kEightBytes, bytes_of(wall_time)) + rest);
}

/// Summary { value = 1 { tag = 1, simple_value = 2 } }
std::string scalar(const std::string& tag, float value) {
  return field(1, kBytes,
               field(1, kBytes, tag) + field(2, kFourBytes, bytes_of(value)));
}

/// The start of the run in seconds since 1970; 0 if unknown.
double start_of(const std::string& folder) {
  std::tm time = {};
  const auto text = facts_of_run(folder).value("started", std::string());
  if (strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) == nullptr) return 0;
  return static_cast<double>(timegm(&time));
}

std::string events_of(const std::string& folder) {
  const double start = start_of(folder);
  std::string out = event(start, field(3, kBytes, "brain.Event:2"));
  for (const Json& line :
       parse_json_lines(read_file(folder + "/metrics.jsonl"))) {
    std::string summary;
    for (const auto& [key, value] : line.items()) {
      if (!value.is_number() || key == "step" || key == "seconds") continue;
      // TensorBoard groups tags by the part before a slash.
      std::string tag = key;
      if (tag.rfind(kEvaluated, 0) == 0) tag[tag.find('.')] = '/';
      summary += scalar(tag, value.get<float>());
    }
    out +=
        event(start + line.value("seconds", 0.0),
              field(2, kVarint, varint(line.at("step").get<std::uint64_t>())) +
                  field(5, kBytes, summary));
  }
  return out;
}

}  // namespace

std::string tensorboard_events(const std::string& folder) {
  return as_written(folder, [&] { return events_of(folder); });
}

std::string write_tensorboard(const std::string& folder,
                              const std::string& to) {
  const std::string kind = "events.out.tfevents.";
  // TensorBoard shows all event files of a folder as one run, so the name of
  // the file says which run it is from.
  std::error_code error;
  const std::string from = std::filesystem::weakly_canonical(
      std::filesystem::absolute(folder, error), error);
  const std::string file =
      fmt::format("{}0.nestgrad-{:08x}", kind, crc32c(error ? folder : from));
  const std::string events = tensorboard_events(folder);
  const std::string first = to + "/" + folder_name(folder);
  for (int n = 1;; ++n) {
    const std::string own = n == 1 ? first : fmt::format("{}-{}", first, n);
    const std::vector<std::string> names = names_in(own);
    const bool known = std::count(names.begin(), names.end(), file) > 0;
    const bool taken = std::any_of(
        names.begin(), names.end(),
        [&](const std::string& name) { return name.rfind(kind, 0) == 0; });
    if (taken && !known) continue;
    make_folders(own);
    write_file(own + "/" + file, events);
    return own;
  }
}

}  // namespace nestgrad
