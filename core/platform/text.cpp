#include "core/platform/text.h"

#include <algorithm>

namespace nestgrad {

void replace_all(std::string& text, std::string_view mark,
                 std::string_view by) {
  for (std::size_t place = text.find(mark); place != std::string::npos;
       place = text.find(mark, place + by.size())) {
    text.replace(place, mark.size(), by);
  }
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(),
                    [](char byte) { return !continues_character(byte); }));
}

std::string first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (std::size_t characters = 0; end < text.size(); ++end) {
    if (!continues_character(text[end]) && ++characters > count) break;
  }
  return std::string(text.substr(0, end));
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = text;
  replace_all(quoted, "\"", "\"\"");
  return '"' + quoted + '"';
}

}  // namespace nestgrad
