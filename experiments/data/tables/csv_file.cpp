#include "experiments/data/tables/csv_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

/// What the bytes 0x80 to 0x9F are in Windows-1252. Five have no meaning.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
    0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

std::string windows_1252_as_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
      continue;
    }
    const char32_t code = byte < 0xA0 ? kWindows1252[byte - 0x80] : byte;
    if (code < 0x800) {
      out += static_cast<char>(0xC0 | code >> 6);
    } else {
      out += static_cast<char>(0xE0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    out += static_cast<char>(0x80 | (code & 0x3F));
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
  if (!field.empty() && field.front() == '+') {
    field.remove_prefix(1);
    if (!field.empty() && field.front() == '-') return {};
  }
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
  std::string text = first_characters(field, kLongest);
  const bool is_text = is_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < ' ' || byte == 0x7F || (byte >= 0x80 && !is_text)) text[i] = '?';
    // U+0080 to U+009F control terminals, too.
    if (byte == 0xC2 && is_text &&
        static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      text.replace(i, 2, "?");
    }
  }
  return text + (character_count(field) > kLongest ? "..." : "");
}

CsvFile::CsvFile(std::string path, char separator)
    : path_(std::move(path)),
      separator_(separator),
      text_(read_file(path_)),
      // Old Macintosh programs end lines with a carriage return alone.
      line_end_(text_.find('\n') != std::string::npos ? '\n' : '\r') {
  if (!is_utf8(text_)) text_ = windows_1252_as_utf8(text_);
  const char* const blanks = separator_ == '\t' ? " \r\n" : " \t\r\n";
  text_.erase(text_.find_last_not_of(blanks) + 1);
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
  next_line_ = 1;
  width_ = 0;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    rest_.remove_prefix(kByteOrderMark.size());
  }
}

Fields CsvFile::next() {
  while (!rest_.empty()) {
    line_ = next_line_;
    const std::string_view row = take_row();
    if (width_ != 1 && is_blank(row)) continue;
    Fields fields = split(row);
    if (width_ == 0) width_ = fields.size();
    return fields;
  }
  return {};
}

bool CsvFile::is_blank(std::string_view row) const {
  return row.find(separator_) == std::string_view::npos && trimmed(row).empty();
}

std::string_view CsvFile::take_row() {
  std::size_t begin = 0, end = 0;
  bool is_open = false;  // a quote
  do {
    end = std::min(rest_.find(line_end_, begin), rest_.size());
    const std::string_view line = rest_.substr(begin, end - begin);
    if (std::count(line.begin(), line.end(), '"') % 2 != 0) is_open = !is_open;
    if (is_open && end == rest_.size()) {
      fail_here("a quote is opened but not closed");
    }
    ++next_line_;
    begin = end + 1;
  } while (is_open);
  const std::string_view row = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return row;
}

void CsvFile::fail(const std::string& reason) const {
  throw Error(fmt::format("'{}': {}", path_, reason));
}

void CsvFile::fail_at(int line, const std::string& reason) const {
  throw Error(fmt::format("'{}', line {}: {}", path_, line, reason));
}

Fields CsvFile::split(std::string_view row) const {
  Fields fields(1);
  bool quoted = false;
  for (const char c : row) {
    // A quote that stands for inches, say, must not join two rows.
    if (c == line_end_ && trimmed(fields.back()).front() != '"') {
      fail_here("a quote is opened but not closed on the same line");
    }
    if (c == separator_ && !quoted) {
      fields.emplace_back();
      continue;
    }
    if (c == '"') quoted = !quoted;
    fields.back() += c;
  }
  for (std::string& field : fields) field = unquoted(trimmed(field));
  return fields;
}

}  // namespace nestgrad
