#include "core/config/json_file.h"

#include <random>
#include <string>
#include <vector>

#include "tests/support/config_world.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

using config_world::complaints_about;
using config_world::world;

std::vector<Complaint> complaints_of_text(const std::string& text) {
  try {
    JsonFile::parse(text, "a.json");
  } catch (const ConfigError& error) {
    return error.complaints();
  }
  return {};
}

TEST_CASE("every value's line is known, also at the end of a line",
          "[json_file]") {
  const JsonFile file = JsonFile::parse(
      "{\n"
      "  \"a\": 1\n"
      "  , \"b\": [10,\n"
      "    20\n"
      "  ],\n"
      "  \"c/d\":\n"
      "    {\"e\": null}\n"
      "}\n",
      "a.json");
  CHECK(file.line("") == 1);
  CHECK(file.line("/a") == 2);
  CHECK(file.line("/b") == 3);
  CHECK(file.line("/b/0") == 3);
  CHECK(file.line("/b/1") == 4);
  CHECK(file.line("/c~1d") == 7);
  CHECK(file.line("/c~1d/e") == 7);
  CHECK(file.line("/b/1/no/such") == 4);
  CHECK(file.line("/no/such") == 1);
  CHECK(file.describe({"/b/1", "is odd"}) == "a.json:4: /b/1: is odd");
  CHECK(file.describe({"", "is odd"}) == "a.json:1: /: is odd");
}

// A random list whose numbers say on which line they stand.
std::string random_layout(std::mt19937& random, int& line, int depth) {
  const auto blanks = [&] {
    std::string text(random() % 3, '\n');
    line += static_cast<int>(text.size());
    return text + (random() % 2 == 0 ? " " : "");
  };
  std::string text = "[";
  const auto elements = random() % 4;
  for (unsigned i = 0; i < elements; ++i) {
    text += i > 0 ? blanks() + "," + blanks() : blanks();
    if (depth > 0 && random() % 3 == 0) {
      text += random_layout(random, line, depth - 1);
    } else {
      text += std::to_string(line) + (random() % 2 == 0 ? ".0" : "");
    }
  }
  return text + blanks() + "]";
}

TEST_CASE("lines are right in any layout", "[json_file]") {
  std::mt19937 random(1);
  std::size_t numbers = 0;
  for (int i = 0; i < 300; ++i) {
    int line = 1;
    const std::string text = random_layout(random, line, 3);
    CAPTURE(text);
    const JsonFile file = JsonFile::parse(text, "a.json");
    const Json flat = file.json().flatten();
    for (const auto& number : flat.items()) {
      if (!number.value().is_number()) continue;
      ++numbers;
      REQUIRE(file.line(number.key()) == number.value().get<int>());
    }
  }
  CHECK(numbers > 300);
}

TEST_CASE("objects keep their order", "[json_file]") {
  const std::string text = R"({"z":1,"a":{"y":[true,null,-2.5,"x"],"b":{}}})";
  CHECK(JsonFile::parse(text, "a.json").json().dump() == text);
}

TEST_CASE("a syntax error is reported with line and column", "[json_file]") {
  const auto error_in = [](const std::string& text) {
    const std::vector<Complaint> complaints = complaints_of_text(text);
    REQUIRE(complaints.size() == 1);
    CHECK(complaints[0].what.find("json.exception") == std::string::npos);
    return complaints[0].what;
  };
  CHECK(error_in("{\n  \"a\": 1,\n}") ==
        "line 3, column 1 of a.json: there is an extra comma before '}'");
  CHECK(error_in("[1, ]") ==
        "line 1, column 5 of a.json: there is an extra comma before ']'");
  CHECK(error_in("{\"a\": 1\n \"b\": 2}") ==
        "line 2, column 4 of a.json: unexpected string; expected a comma or "
        "'}'");
  CHECK(error_in("{\n// why\n}") ==
        "line 2, column 1 of a.json: comments are not allowed in JSON");
  CHECK(error_in("{\"\xC3\xA4\": 'b'}") ==
        "line 1, column 7 of a.json: strings need double quotes in JSON");
  CHECK(error_in("{\"a\": [1, 2") ==
        "line 1, column 12 of a.json: the text ends too early");
  CHECK(error_in("") == "line 1, column 1 of a.json: the text ends too early");
  CHECK(error_in("{} {}") ==
        "line 1, column 4 of a.json: unexpected '{'; expected end of input");
  CHECK(error_in("{\"a\": tru}") ==
        "line 1, column 10 of a.json: invalid literal");
  CHECK(error_in("[1e999]") ==
        "line 1, column 6 of a.json: number overflow parsing '1e999'");
  CHECK(error_in(std::string("{}\0x", 4)) ==
        "line 1, column 3 of a.json: there is a zero byte, so this is not a "
        "JSON text");
  CHECK(error_in(std::string(101, '[')) ==
        "line 1, column 101 of a.json: there are more than 100 levels of "
        "nesting");
  CHECK(complaints_of_text("{\"a\": {\"b\": ]}}")[0].where == "/a");
  CHECK(complaints_of_text(std::string(100, '[') + std::string(100, ']'))
            .empty());
}

TEST_CASE("all keys that stand twice are reported at once", "[json_file]") {
  const std::vector<Complaint> complaints = complaints_of_text(
      "{\"a\": 1,\n"
      " \"b\": {\"x\": 1,\n"
      "   \"y\": {\"x\": 1},\n"
      "   \"x\": 2},\n"
      " \"a\": 1, \n"
      " \"a\": 1, }\n");
  REQUIRE(complaints.size() == 4);
  CHECK(complaints[0].where == "/b/x");
  CHECK(complaints[0].what ==
        "the key appears twice, on lines 2 and 4 of a.json");
  CHECK(complaints[1].where == "/a");
  CHECK(complaints[1].what ==
        "the key appears twice, on lines 1 and 5 of a.json");
  CHECK(complaints[2].where == "/a");
  CHECK(complaints[2].what ==
        "the key appears twice, on lines 1 and 6 of a.json");
  CHECK_THAT(complaints[3].what, ContainsSubstring("extra comma"));
}

TEST_CASE("a file is read, and named in complaints", "[json_file]") {
  const TemporaryFolder folder;
  const JsonFile file = JsonFile::read(folder.write("a.json", "{\n\"a\": 5}"));
  CHECK(file.json()["a"] == 5);
  CHECK(file.name() == folder.path("a.json"));
  CHECK(file.describe({"/a", "is odd"}) ==
        folder.path("a.json") + ":2: /a: is odd");
  const std::string cut = folder.write("cut.json", "{");
  CHECK_THROWS_WITH(JsonFile::read(cut), ContainsSubstring(cut));
}

TEST_CASE("a file that cannot be read is named", "[json_file]") {
  CHECK_THROWS_WITH(JsonFile::read("no/such.json"),
                    "cannot read 'no/such.json': No such file or directory");
  CHECK_THROWS_WITH(JsonFile::read("/tmp"),
                    "cannot read '/tmp': it is a folder, not a file");
}

TEST_CASE("damaged text is parsed like the library does it, or refused",
          "[json_file]") {
  const std::string text =
      "{\"seed\": 1, \"outer\": {\"steps\": 10, \"tolerance\": 1e-3},\n"
      " \"sizes\": [1, 2], \"method\": {\"type\": \"implicit\",\n"
      " \"solver\": {\"type\": \"series\", \"scale\": \"auto\"}}}\n";
  REQUIRE(complaints_about(world(), Json::parse(text)).empty());
  std::mt19937 random(7);
  int parsed = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = text;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % damaged.size();
      const std::size_t count = 1 + random() % 4;
      switch (random() % 3) {
        case 0:
          damaged.erase(at, count);
          break;
        case 1:
          damaged.insert(at, damaged.substr(at, count));
          break;
        default:
          damaged[at] = static_cast<char>(random() % 2 == 0 ? random() % 256
                                                            : text[at % 40]);
      }
    }
    CAPTURE(damaged);
    try {
      const JsonFile file = JsonFile::parse(damaged, "a.json");
      ++parsed;
      REQUIRE(file.json() == Json::parse(damaged));
      for (const Complaint& complaint :
           complaints_about(world(), file.json())) {
        REQUIRE(!complaint.what.empty());
        REQUIRE(file.line(complaint.where) >= 1);
      }
    } catch (const ConfigError& error) {
      const bool is_json = Json::accept(damaged);
      for (const Complaint& complaint : error.complaints()) {
        const bool is_ours =
            complaint.what.find("twice") != std::string::npos ||
            complaint.what.find("zero byte") != std::string::npos;
        REQUIRE((!is_json || is_ours));
      }
    }
  }
  CHECK(parsed > 100);
  CHECK(parsed < 1900);
}

TEST_CASE("an assignment by --set changes a value, and complaints say so",
          "[json_file]") {
  JsonFile file = JsonFile::parse(
      "{\"outer\": {\"steps\": 1},\n \"layers\": [{\"out\": 1}, {}],\n"
      " \"word\": \"x\"}",
      "a.json");
  file.set("outer.steps=20");
  file.set("layers.0.out=3");
  file.set("word=1.5.2");
  file.set("method.solver={\"type\": \"series\"}");
  file.set("empty=");
  file.set("equal=a=b");
  CHECK(file.json() == Json::parse(R"({"outer": {"steps": 20},
      "layers": [{"out": 3}, {}], "word": "1.5.2",
      "method": {"solver": {"type": "series"}}, "empty": "", "equal": "a=b"})"));
  CHECK(file.line("/outer/steps") == 0);
  CHECK(file.line("/outer") == 1);
  CHECK(file.line("/layers/0/out") == 0);
  CHECK(file.line("/layers/0") == 2);
  CHECK(file.line("/method") == 0);
  CHECK(file.line("/method/solver/type") == 0);
  CHECK(file.describe({"/method/solver", "is odd"}) ==
        "--set: /method/solver: is odd");

  // A word that stands for an object of that type becomes one.
  file.set("method=implicit");
  file.set("method.window=3");
  CHECK(file.json()["method"] ==
        Json::parse(R"({"type": "implicit", "window": 3})"));

  file.set("layers=[{\"out\": 5}]");
  CHECK(file.line("/layers/0") == 0);
  CHECK(file.line("/layers/0/out") == 0);

  const Json before = file.json();
  CHECK_THROWS_WITH(file.set("outer.steps"),
                    ContainsSubstring("expected path=value, met no '='"));
  CHECK_THROWS_WITH(file.set("outer..steps=1"),
                    ContainsSubstring("expected a name between the dots"));
  CHECK_THROWS_WITH(file.set("new.one.layers=1 \xFF"),
                    ContainsSubstring("UTF-8"));
  CHECK_THROWS_WITH(file.set("outer.steps.a=1"),
                    ContainsSubstring("met a number"));
  CHECK_THROWS_WITH(
      file.set("layers.1.out=1"),
      ContainsSubstring("/layers holds a list of 1, which has no element '1'"));
  CHECK_THROWS_AS(file.set("layers.one=1"), Error);
  CHECK(file.json() == before);
}
}  // namespace
}  // namespace nestgrad
