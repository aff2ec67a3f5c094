#include "core/config/config.h"

#include <string>
#include <vector>

#include "core/config/registry.h"
#include "tests/support/config_world.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

using config_world::AnimalQueryRegistry;
using config_world::complaints_about;
using config_world::Direct;
using config_world::TestSolverRegistry;
using config_world::world;

// The only complaint about a world with this method and this member.
std::string complaint_about(const std::string& key, const Json& value) {
  Json json = {{"method", "implicit"}};
  json[key] = value;
  const std::vector<Complaint> complaints = complaints_about(world(), json);
  REQUIRE(complaints.size() == 1);
  return complaints[0].where + ": " + complaints[0].what;
}
TEST_CASE("defaults are written out in the order of the schema", "[config]") {
  const Json given = Json::parse(
      R"({"method": {"damping": "$d", "type": "implicit"}, "seed": 3.0,
          "hyper": {"d": {}}, "$schema": "x", "outer": {"steps": 1e3}})");
  CHECK(complete(world(), given).dump() ==
        R"({"seed":3,"device":"cpu","sizes":[3,4],)"
        R"("outer":{"steps":1000,"tolerance":1e-06},)"
        R"("hyper":{"d":{"initial":0.5}},)"
        R"("method":{"type":"implicit","solver":{"type":"series","terms":10,)"
        R"("scale":"auto","warm":false},"damping":"$d","window":10}})");
}

TEST_CASE("completing twice changes nothing", "[config]") {
  const Json once = complete(
      world(),
      Json::parse(
          R"({"method": {"type": "chain", "links": ["implicit", "chain"]}})"));
  CHECK(complete(world(), once) == once);
  CHECK(once["method"]["links"][0]["solver"]["terms"] == 10);
  CHECK(once["method"]["links"][1].dump() ==
        R"({"type":"chain","links":[],"window":10})");
}

TEST_CASE("a value of the wrong kind is reported with what was expected",
          "[config]") {
  CHECK(complaint_about("seed", "ten") ==
        "/seed: must be a whole number, is \"ten\"");
  CHECK(complaint_about("seed", 1.5) ==
        "/seed: must be a whole number, is 1.5");
  CHECK(complaint_about("seed", 18446744073709551615u) ==
        "/seed: must be a whole number, is 18446744073709551615");
  CHECK(complaint_about("seed", 1e300) ==
        "/seed: must be a whole number, is 1e+300");
  CHECK(complaint_about("title", true) == "/title: must be a string, is true");
  CHECK(complaint_about("title", nullptr) ==
        "/title: must be a string, is null");
  CHECK(complaint_about("device", "cud") ==
        "/device: must be \"cpu\" or \"cuda\", is \"cud\"; did you mean "
        "'cuda'?");
  CHECK(complaint_about("device", Json::array()) ==
        "/device: must be \"cpu\" or \"cuda\", is a list");
  CHECK(complaint_about("sizes", 3) ==
        "/sizes: must be a list of whole numbers, each at least 1; is 3");
  CHECK(complaint_about("sizes", Json{1, "b"}) ==
        "/sizes/1: must be a whole number, at least 1; is \"b\"");
  CHECK(complaint_about("range", "a") ==
        "/range: must be a number or a list of numbers, each at least 0 and "
        "below 1; is \"a\"");
  CHECK(complaint_about("outer", Json{{"steps", Json::object()}}) ==
        "/outer/steps: must be a whole number, at least 1; is an object");
  CHECK(complaint_about("outer", 3) == "/outer: must be an object, is 3");
  CHECK(complaint_about("hyper", 3) == "/hyper: must be an object, is 3");
  CHECK(complaint_about("hyper", Json{{"a/b", 3}}) ==
        "/hyper/a~1b: must be an object, is 3");
  CHECK(complaint_about("method", 3) ==
        "/method: must be the name of an animal query, or an object with a "
        "\"type\"; is 3");
  CHECK(complaint_about("method",
                        Json{{"type", "implicit"},
                             {"solver", {{"type", "series"}, {"warm", 1}}}}) ==
        "/method/solver/warm: must be true or false, is 1");
  CHECK(
      complaint_about("method", Json{{"type", "chain"}, {"links", "chain"}}) ==
      "/method/links: must be a list of animal_queries, each a name or an "
      "object with a \"type\"; is \"chain\"");
  CHECK(complaint_about(
            "method",
            Json{{"type", "implicit"},
                 {"solver", {{"type", "series"}, {"scale", "large"}}}}) ==
        "/method/solver/scale: must be a number, above 0, or \"auto\" or "
        "\"largest\"; is \"large\"; did you mean 'largest'?");
  const auto not_an_object = complaints_about(world(), Json{1});
  REQUIRE(not_an_object.size() == 1);
  CHECK(not_an_object[0].what == "must be an object, is a list");
}

TEST_CASE("a long value is cut between characters", "[config]") {
  const std::string start = "a" + std::string(56, 'b');
  CHECK(complaint_about("seed", start + "\xF0\x9F\x98\x80xyz") ==
        "/seed: must be a whole number, is \"" + start + "...");
}

TEST_CASE("a number out of range is reported", "[config]") {
  CHECK(complaint_about("outer", Json{{"steps", 0}}) ==
        "/outer/steps: must be at least 1, is 0");
  CHECK(complaint_about("outer", Json{{"tolerance", 0}}) ==
        "/outer/tolerance: must be above 0, is 0");
  CHECK(complaint_about("range", 1) ==
        "/range: must be at least 0 and below 1, is 1");
  CHECK(complaint_about("range", Json{0, 0.5, -0.5}) ==
        "/range/2: must be at least 0 and below 1, is -0.5");
  CHECK(complaint_about("sizes", Json{1, 0}) ==
        "/sizes/1: must be at least 1, is 0");
}

TEST_CASE("ranges say what they contain", "[config]") {
  CHECK(any().describe() == "");
  CHECK(at_least(1).describe() == "at least 1");
  CHECK(above(0.5).describe() == "above 0.5");
  CHECK(from_to(0, 1).describe() == "from 0 to 1");
  CHECK(from_below(0, 1).describe() == "at least 0 and below 1");
  CHECK(Range{0, 1, true, true}.describe() == "above 0 and below 1");
  CHECK(Range{any().low, 2}.describe() == "at most 2");
  CHECK(from_to(0, 1).contains(0));
  CHECK(from_to(0, 1).contains(1));
  CHECK_FALSE(from_to(0, 1).contains(1.001));
  CHECK_FALSE(from_below(0, 1).contains(1));
  CHECK_FALSE(above(0).contains(0));
  CHECK(above(0).contains(1e-300));
  CHECK(any().contains(-1e300));
}

TEST_CASE("an unknown key is reported with the nearest there is", "[config]") {
  CHECK(complaint_about("sede", 1) ==
        "/sede: there is no key 'sede' here; did you mean 'seed'?");
  CHECK(complaint_about("qqq", 1) ==
        "/qqq: there is no key 'qqq' here; there are: seed, title, device, "
        "sizes, range, outer, hyper, method");
  CHECK(complaint_about("outer", Json{{"$schema", 1}}) ==
        "/outer/$schema: there is no key '$schema' here; there are: steps, "
        "tolerance");
  CHECK(complaint_about("method", Json{{"type", "implicit"}, {"windw", 1}}) ==
        "/method/windw: there is no key 'windw' here; did you mean 'window'?");
}

TEST_CASE("an unknown or missing type is reported once", "[config]") {
  CHECK(complaint_about("method", "implcit") ==
        "/method: there is no animal query 'implcit'; did you mean 'implicit'? "
        "There are: chain, implicit");
  CHECK(complaint_about("method", Json{{"type", "xyz"}, {"nonsense", 1}}) ==
        "/method/type: there is no animal query 'xyz'; there are: chain, "
        "implicit");
  CHECK(complaint_about("method", Json{{"window", 0}}) ==
        "/method/type: is missing (expected: the name of an animal query); "
        "there are: chain, implicit");
  CHECK(complaint_about("method", Json{{"type", 1}}) ==
        "/method/type: must be the name of an animal query, is 1");
  const auto complaints = complaints_about(world(), Json::object());
  REQUIRE(complaints.size() == 1);
  CHECK(complaints[0].where == "/method");
  CHECK(complaints[0].what ==
        "is missing (expected: the name of an animal query, or an object with "
        "a \"type\"); there are: chain, implicit");
}

TEST_CASE("an object that does not say its type has that of the default",
          "[config]") {
  Schema schema("");
  schema.object("method", AnimalQueryRegistry::instance(), "implicit",
                "A method.");
  const Json json =
      complete(schema, Json::parse(R"({"method": {"window": 3}})"));
  CHECK(json["method"]["type"] == "implicit");
  CHECK(json["method"]["window"] == 3);
}

TEST_CASE("a setting is a number, a hyperparameter or a schedule", "[config]") {
  const auto with = [](const Json& damping) {
    return Json{{"type", "implicit"}, {"damping", damping}};
  };
  const std::string expected =
      "must be a number, at least 0, or \"$\" and the name of a "
      "hyperparameter, or a schedule (an object with a \"type\"); is ";
  CHECK(complaint_about("method", with(-1)) ==
        "/method/damping: must be at least 0, is -1");
  CHECK(complaint_about("method", with("d")) ==
        "/method/damping: " + expected + "\"d\"");
  CHECK(complaint_about("method", with("$")) ==
        "/method/damping: " + expected + "\"$\"");
  CHECK(complaint_about("method", with("test_ramp")) ==
        "/method/damping: " + expected + "\"test_ramp\"");
  CHECK(complaint_about("method", with({{"type", "test_ramp"}})) ==
        "/method/damping/ramp_steps: is missing (expected: a whole number, at "
        "least 1)");
  CHECK_THAT(complaint_about("method", with({{"type", "test_rmap"}})),
             ContainsSubstring("/method/damping/type: there is no schedule "
                               "'test_rmap'; did you mean 'test_ramp'?"));
  const Json ramp = {{"type", "test_ramp"}, {"ramp_steps", 5}};
  CHECK(
      complete(AnimalQueryRegistry::instance(), with(ramp))["damping"].dump() ==
      R"({"type":"test_ramp","ramp_steps":5,"ramp_end":1})");
}

TEST_CASE("all mistakes are reported at once, in the order of the file",
          "[config]") {
  const JsonFile file = JsonFile::parse(
      "{\n"
      "  \"sizes\": [0,\n"
      "     1.5],\n"
      "  \"outer\": {\"stepz\": 3},\n"
      "  \"seed\": \"x\",\n"
      "  \"method\": {\n"
      "    \"window\": 0,\n"
      "    \"solver\": {\"type\": \"series\", \"terms\": -1},\n"
      "    \"type\": \"implicit\"\n"
      "  }\n"
      "}\n",
      "a.json");
  std::string all;
  for (const Complaint& complaint : complaints_about(world(), file.json())) {
    all += file.describe(complaint) + "\n";
  }
  CHECK(all ==
        "a.json:2: /sizes/0: must be at least 1, is 0\n"
        "a.json:3: /sizes/1: must be a whole number, at least 1; is 1.5\n"
        "a.json:4: /outer/stepz: there is no key 'stepz' here; did you mean "
        "'steps'?\n"
        "a.json:5: /seed: must be a whole number, is \"x\"\n"
        "a.json:7: /method/window: must be at least 1, is 0\n"
        "a.json:8: /method/solver/terms: must be at least 0, is -1\n");
  CHECK_THROWS_AS(complete(world(), file.json()), ConfigError);
}

TEST_CASE("the nearest word is a plausible one, or none", "[config]") {
  CHECK(nearest("windw", {"steps", "window"}) == "window");
  CHECK(nearest("widnow", {"minnow", "window"}) == "window");
  CHECK(nearest("batchSize", {"step_size", "batch_size"}) == "batch_size");
  CHECK(nearest("learning", {"steps", "learning_rate"}) == "learning_rate");
  CHECK(nearest("tol", {"steps", "tolerance"}) == "tolerance");
  CHECK(nearest("window_size", {"window"}) == "window");
  CHECK(nearest("steps_per_epoch", {"steps"}) == "");
  CHECK(nearest("same", {"lame", "same"}) == "same");
  CHECK(nearest("lr", {"ab", "momentum"}) == "");
  CHECK(nearest("x", {"y"}) == "");
  CHECK(nearest("window", {"tolerance", "steps"}) == "");
  CHECK(nearest("", {"a"}) == "");
  CHECK(nearest("a", {}) == "");
}

TEST_CASE("a config gives values with their type", "[config]") {
  const Config config(
      Json::parse(R"({"n": 3, "x": 0.5, "b": true, "t": "word", "l": [1, 2],
                      "o": {"n": 4}, "os": [{"n": 5}, {"n": 6}]})"),
      "/top");
  CHECK(config.integer("n") == 3);
  CHECK(config.number("n") == 3.0);
  CHECK(config.number("x") == 0.5);
  CHECK(config.boolean("b"));
  CHECK(config.text("t") == "word");
  CHECK(config.is_text("t"));
  CHECK_FALSE(config.is_text("n"));
  CHECK(config.numbers("l") == std::vector<double>{1, 2});
  CHECK(config.numbers("x") == std::vector<double>{0.5});
  CHECK(config.integers("l") == std::vector<std::int64_t>{1, 2});
  CHECK(config.has("n"));
  CHECK_FALSE(config.has("m"));
  CHECK(config.object("o").integer("n") == 4);
  CHECK(config.object("o").pointer("n") == "/top/o/n");
  REQUIRE(config.objects("os").size() == 2);
  CHECK(config.objects("os")[1].integer("n") == 6);
  CHECK(config.objects("os")[1].pointer() == "/top/os/1");
}

TEST_CASE("a config refuses to be asked for what the schema does not have",
          "[config]") {
  const Config config(Json::parse(R"({"t": "word", "x": 0.5, "l": ["a"]})"),
                      "/top");
  CHECK_THROWS_WITH(
      config.integer("m"),
      "/top/m: the key 'm' was asked for, but is not in the schema");
  CHECK_THROWS_WITH(
      config.integer("x"),
      "/top/x: a whole number was asked for, but the schema allows a number");
  CHECK_THROWS_AS(config.number("t"), Error);
  CHECK_THROWS_AS(config.numbers("l"), Error);
  CHECK_THROWS_AS(config.object("t"), Error);
  CHECK_THROWS_AS(config.objects("t"), Error);
  try {
    config.fail("t", "there is no such file");
    FAIL("it came back");
  } catch (const ConfigError& error) {
    CHECK(error.complaints()[0].where == "/top/t");
    CHECK(error.complaints()[0].what == "there is no such file");
  }
}

TEST_CASE("a registry makes what checked json describes", "[config]") {
  const auto& registry = TestSolverRegistry::instance();
  CHECK(registry.names() == std::vector<std::string>{"direct", "series"});
  CHECK(registry.noun() == "test solver");
  CHECK(registry.a_noun() == "a test solver");
  CHECK(AnimalQueryRegistry::instance().a_noun() == "an animal query");
  CHECK(RegistryBase::all().at("test_solvers") == &registry);
  CHECK(registry.make(Json("direct"), 2.0)->answer() == 2);
  CHECK(registry.make(Json("series"), 2.0)->answer() == 20);
  CHECK(registry.make(Json{{"type", "series"}, {"terms", 3}}, 2.0)->answer() ==
        6);
  CHECK_THROWS_WITH(registry.make(Json{{"type", "series"}, {"terms", -3}}, 2.0),
                    "/terms: must be at least 0, is -3");
  CHECK_THROWS_WITH(registry.make(Json(3), 2.0), ContainsSubstring("is 3"));
  CHECK_THROWS_WITH(registry.make(Config(Json{{"type", "x"}}), 2.0),
                    "test_solvers: there is no 'x'");
  CHECK_THROWS_AS(registry.schema("x"), Error);
  const std::size_t before = RegistryBase::clashes().size();
  CHECK_FALSE(TestSolverRegistry::instance().add<Direct>("series"));
  REQUIRE(RegistryBase::clashes().size() == before + 1);
  CHECK_THAT(RegistryBase::clashes().back(), ContainsSubstring("'series'"));
}

TEST_CASE("a schema has no key twice", "[config]") {
  Schema schema("");
  schema.integer("a", 1, "");
  CHECK_THROWS_WITH(schema.text("a", "", ""),
                    "a schema has two keys named 'a'");
  CHECK_THROWS_AS(schema.also(Schema("").map("a", Schema(""), kAbsent, "")),
                  Error);
}
}  // namespace
}  // namespace nestgrad
