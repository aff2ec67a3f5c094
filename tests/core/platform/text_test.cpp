#include "core/platform/text.h"

#include <nlohmann/json.hpp>

#include "core/platform/error.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

std::string replaced(std::string text, const char* mark, const char* by) {
  replace_all(text, mark, by);
  return text;
}

TEST_CASE("every occurrence is replaced, and what is put in is not searched",
          "[text]") {
  CHECK(replaced("a&b&", "&", "&amp;") == "a&amp;b&amp;");
  CHECK(replaced("aaa", "aa", "a") == "aa");
  CHECK(replaced("@x@@x@", "@x@", "") == "");
  CHECK(replaced("nothing", "mark", "other") == "nothing");
}

TEST_CASE("characters are counted, not bytes", "[text]") {
  CHECK(character_count("") == 0);
  CHECK(character_count("0.5 ± 0.1") == 9);
  CHECK(character_count("…€") == 2);
  CHECK_FALSE(continues_character('a'));
  CHECK_FALSE(continues_character("±"[0]));
  CHECK(continues_character("±"[1]));
}

TEST_CASE("text is UTF-8 if a JSON document may hold it", "[text]") {
  const auto is_json = [](const std::string& text) {
    try {
      return !nlohmann::json(text).dump().empty();
    } catch (const nlohmann::json::exception&) {
      return false;
    }
  };
  const auto check = [&](const std::string& text) {
    CAPTURE(text);
    CHECK(is_utf8(text) == is_json(text));
  };
  for (const char* text : {"", "a", "±", "€", "\U0001F600", "\xc3", "\xe2\x82",
                           "\x80", "\xfc\x62", "\xf0\x9f\x98"}) {
    check(text);
  }
  // All second bytes: overlong forms, surrogates, numbers that are too large.
  for (int first = 0x80; first < 0x100; ++first) {
    for (int second = 0x7F; second < 0xC1; ++second) {
      const std::string two = {static_cast<char>(first),
                               static_cast<char>(second)};
      check(two);
      check(two + "\x80");
      check(two + "\x80\x80");
    }
  }
}

TEST_CASE("bytes are written as text and read back", "[text]") {
  // The examples of RFC 4648.
  const std::string bytes = "foobar";
  const std::vector<std::string> texts = {
      "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t n = 0; n < texts.size(); ++n) {
    CHECK(base64(bytes.substr(0, n)) == texts[n]);
    CHECK(from_base64(texts[n]) == bytes.substr(0, n));
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(from_base64(base64(all)) == all);
  for (const char* wrong : {"Zg=", "Zg", "Z===", "====", "Zm 9", "Zm9-"}) {
    CHECK_THROWS_AS(from_base64(wrong), Error);
  }
}

}  // namespace
}  // namespace nestgrad
