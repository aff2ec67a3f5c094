#include "experiments/data/tables/csv_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/text.h"

namespace nestgrad {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Whether all bytes belong to characters of UTF-8, as far as their lengths
/// tell.
bool is_utf8(std::string_view text) {
  int later = 0;  // bytes of this character that are still to come
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (later > 0) {
      if (!continues_character(c)) return false;
      --later;
    } else if (byte >= 0x80) {
      later = byte >= 0xC2 && byte < 0xE0   ? 1
              : byte >= 0xE0 && byte < 0xF0 ? 2
              : byte >= 0xF0 && byte < 0xF5 ? 3
                                            : 0;
      if (later == 0) return false;
    }
  }
  return later == 0;
}

std::string latin1_as_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

std::string unquoted(std::string_view field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') {
    return std::string(field);
  }
  std::string text;
  for (std::size_t i = 1; i + 1 < field.size(); ++i) {
    text += field[i];
    if (field[i] == '"' && field[i + 1] == '"') ++i;
  }
  return text;
}

}  // namespace

std::optional<double> number_in(std::string_view field, char decimal) {
  std::string with_point;
  if (decimal != '.') {
    if (field.find('.') != std::string_view::npos) return {};
    with_point = field;
    std::replace(with_point.begin(), with_point.end(), decimal, '.');
    field = with_point;
  }
  if (!field.empty() && field.front() == '+') field.remove_prefix(1);
  double value = 0;
  const char* const end = field.data() + field.size();
  const auto [rest, error] = std::from_chars(field.data(), end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return {};
  return value;
}

bool is_missing(std::string_view field) {
  if (field.empty()) return true;
  // Most fields are told apart by their first character.
  if (field[0] != '?' && field[0] != 'N' && field[0] != 'n') return false;
  for (const char* word :
       {"?", "NA", "N/A", "n/a", "nan", "NaN", "NAN", "null", "NULL"}) {
    if (field == word) return true;
  }
  return false;
}

bool TextOrder::operator()(const std::string& a, const std::string& b) const {
  const auto x = number_in(a, decimal), y = number_in(b, decimal);
  if (x && y) return *x < *y;
  if (x.has_value() != y.has_value()) return x.has_value();
  return a < b;
}

std::string shown_field(std::string_view field) {
  constexpr std::size_t kLongest = 30;
  std::string text(field.substr(0, kLongest));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text + (field.size() > kLongest ? "..." : "");
}

CsvFile::CsvFile(std::string path, char separator)
    : path_(std::move(path)), separator_(separator), text_(read_file(path_)) {
  if (!is_utf8(text_)) text_ = latin1_as_utf8(text_);
  rewind();
  if (text_.find('\0') != std::string::npos) {
    fail(
        "there are zero bytes in it, so it is no text, or text in UTF-16; "
        "save it as UTF-8");
  }
}

void CsvFile::rewind() {
  rest_ = text_;
  line_ = 0;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    rest_.remove_prefix(kByteOrderMark.size());
  }
}

Fields CsvFile::next() {
  // Old Macintosh programs end lines with a carriage return alone.
  const char line_end = text_.find('\n') != std::string::npos ? '\n' : '\r';
  while (!rest_.empty()) {
    const auto end = std::min(rest_.find(line_end), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    if (!trimmed(line).empty()) return split(line);
  }
  return {};
}

void CsvFile::fail(const std::string& reason) const {
  throw Error(fmt::format("'{}': {}", path_, reason));
}

void CsvFile::fail_at(int line, const std::string& reason) const {
  throw Error(fmt::format("'{}', line {}: {}", path_, line, reason));
}

Fields CsvFile::split(std::string_view line) const {
  Fields fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      fields.back() += c;
    } else if (c == separator_ && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) fail_here("a quote is opened but not closed on the same line");
  for (std::string& field : fields) field = unquoted(trimmed(field));
  return fields;
}

}  // namespace nestgrad
