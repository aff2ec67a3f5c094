#include "core/config/float32.h"

#include "tests/support/config_world.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// The places that are complained about in a completed object.
std::vector<std::string> places(const Json& json) {
  const Schema schema =
      Schema("Numbers of every kind.")
          .number("positive", 1, "Divided by.", above(0))
          .number("any", 0, "A threshold.", at_least(0))
          .number("word", "auto", "Or found.", above(0), {"auto"})
          .integer("whole", 1, "A count.")
          .numbers("list", Json{1, 2}, "Several.")
          .setting("rate", 0.1, "Of a rule.", at_least(0))
          .map("by_name", Schema("").number("deep", 1, "", above(0)),
               Json::object(), "With free keys.")
          .object("method", config_world::AnimalQueryRegistry::instance(),
                  Json{{"type", "implicit"}}, "An object of a registry.");
  std::vector<Complaint> complaints;
  refuse_beyond_float32(schema, complete(schema, json), "", complaints);
  std::vector<std::string> out;
  for (const Complaint& complaint : complaints) out.push_back(complaint.where);
  return out;
}

using Places = std::vector<std::string>;

}  // namespace

TEST_CASE("numbers that are finite in double precision only are refused",
          "[config]") {
  CHECK(places(Json::object()).empty());
  CHECK(places({{"positive", 3e38}, {"list", {1e-300, -3e38}}}).empty());
  CHECK(places({{"positive", 4e38}}) == Places{"/positive"});
  CHECK(places({{"any", 1e39}, {"whole", 1000000000000}}) == Places{"/any"});
  CHECK(places({{"list", {1, -1e39}}}) == Places{"/list/1"});
  CHECK(places({{"rate", 1e39}}) == Places{"/rate"});
}

TEST_CASE(
    "numbers that float32 turns into a zero that is not allowed are "
    "refused",
    "[config]") {
  CHECK(places({{"positive", 1e-45}, {"any", 1e-50}}).empty());
  CHECK(places({{"positive", 1e-50}, {"word", 1e-50}}) ==
        Places{"/positive", "/word"});
  CHECK(places({{"rate", 1e-50}}) == Places{"/rate"});
  CHECK(places({{"rate", 0}}).empty());
}

TEST_CASE("numbers are judged in maps, objects of registries and schedules",
          "[config]") {
  CHECK(places({{"by_name", {{"x", {{"deep", 1e-60}}}}}}) ==
        Places{"/by_name/x/deep"});
  CHECK(places({{"method",
                 {{"type", "implicit"},
                  {"damping", 1e40},
                  {"solver", {{"type", "series"}, {"scale", 1e-60}}}}}}) ==
        Places{"/method/solver/scale", "/method/damping"});
  CHECK(
      places(
          {{"rate",
            {{"type", "test_ramp"}, {"ramp_steps", 3}, {"ramp_end", 1e99}}}}) ==
      Places{"/rate/ramp_end"});
}

}  // namespace nestgrad
