#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nestgrad {

/// Replaces every occurrence of `mark` in `text`, from left to right; what has
/// been put in is not searched again. REQUIRES that `mark` is not empty.
void replace_all(std::string& text, std::string_view mark, std::string_view by);

/// Whether a byte of UTF-8 text is a later byte of a character: 10xxxxxx.
bool continues_character(char byte);

/// Whether bytes are UTF-8 text as RFC 3629 has it: no overlong forms, no
/// surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// How many characters UTF-8 text has.
std::size_t character_count(std::string_view text);

/// The first `count` characters of UTF-8 text, or all if it has no more.
std::string first_characters(std::string_view text, std::size_t count);

/// Bytes as text (RFC 4648), and the bytes of such text. Throws Error if it is
/// none.
std::string base64(std::string_view bytes);
std::string from_base64(std::string_view text);

/// A field of a CSV table (RFC 4180): the text, in quotes if it has to be.
std::string csv_field(const std::string& text);

}  // namespace nestgrad
