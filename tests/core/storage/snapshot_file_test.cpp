#include "core/storage/snapshot_file.h"

#include <cmath>
#include <limits>

#include "core/platform/files.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Snapshot filled_snapshot() {
  Snapshot out;
  out.sets["run/weights"] = {
      {"b", at::randn({3, 4}).t()},  // lies the other way round
      {"a", at::arange(5, float64())},
      {"odd \"name\"/", at::tensor({1, 0}, at::kLong).to(at::kBool)},
      {"none", at::empty({0, 3})}};
  out.sets["empty"] = {};
  out.integers = {{"step", std::numeric_limits<std::int64_t>::min()},
                  {"key", -1}};
  out.numbers = {{"nan", std::nan("")},
                 {"low", -INFINITY},
                 {"third", 1.0 / 3},
                 {"zero", -0.0}};
  out.texts = {{"trouble", "line\n\u00e4 \"quoted\""}, {"", ""}};
  return out;
}

}  // namespace

TEST_CASE("a snapshot comes back from its file bit by bit", "[snapshot]") {
  const TemporaryFolder folder;
  const Snapshot before = filled_snapshot();
  const Json about = {{"version", "1"}, {"config", {{"seed", 3}}}};
  save_snapshot(folder.path("a"), before, about);
  CHECK(encode_snapshot(before, about) == read_file(folder.path("a")));
  const SavedSnapshot after = load_snapshot(folder.path("a"));
  CHECK(after.about == about);
  CHECK(after.snapshot.integers == before.integers);
  CHECK(after.snapshot.texts == before.texts);
  REQUIRE(after.snapshot.numbers.size() == 4);
  CHECK(std::isnan(after.snapshot.numbers.at("nan")));
  CHECK(after.snapshot.numbers.at("low") == -INFINITY);
  CHECK(after.snapshot.numbers.at("third") == 1.0 / 3);
  CHECK(std::signbit(after.snapshot.numbers.at("zero")));
  REQUIRE(after.snapshot.sets.size() == 2);
  CHECK(after.snapshot.sets.at("empty").empty());
  const ParameterSet& set = after.snapshot.sets.at("run/weights");
  const ParameterSet& expected = before.sets.at("run/weights");
  REQUIRE(alike(set, expected));
  for (std::size_t i = 0; i < set.size(); ++i) {
    CHECK(set.name(i) == expected.name(i));
    CHECK(at::equal(set.tensors()[i], expected.tensors()[i]));
    CHECK(set.tensors()[i].strides() == expected.tensors()[i].strides());
  }
}

TEST_CASE("a snapshot file with any bit changed or bytes missing is refused",
          "[snapshot]") {
  const TemporaryFolder folder;
  save_snapshot(folder.path("a"), filled_snapshot(), Json::object());
  const std::string whole = read_file(folder.path("a"));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    folder.write("b", damaged);
    CAPTURE(i);
    CHECK_THROWS_AS(load_snapshot(folder.path("b")), Error);
    if (i % 7 > 0) continue;
    folder.write("b", whole.substr(0, i));
    CHECK_THROWS_AS(load_snapshot(folder.path("b")), Error);
  }
  folder.write("b", whole + "x");
  CHECK_THROWS_AS(load_snapshot(folder.path("b")), Error);
}

TEST_CASE("a snapshot file of another format is told from a damaged one",
          "[snapshot]") {
  const TemporaryFolder folder;
  folder.write("a", "nestgrad checkpoint 2 00000000 0\n");
  CHECK_THROWS_AS(load_snapshot(folder.path("a")), OtherFormat);
  CHECK_THROWS_WITH(load_snapshot(folder.path("a")),
                    ContainsSubstring("/a: it has format 2, and this version "
                                      "of nestgrad reads 1"));
}

}  // namespace nestgrad
