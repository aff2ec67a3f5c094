#include "core/platform/text.h"

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

}  // namespace
}  // namespace nestgrad
