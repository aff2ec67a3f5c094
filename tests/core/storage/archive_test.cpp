#include "core/storage/archive.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/platform/error.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

struct Inner {
  ParameterSet weights;
  std::int64_t count = 0;

  void persist(Archive& archive) {
    archive("weights", weights);
    archive("count", count);
  }
};

struct Outer {
  Inner left, right;
  ParameterSet drift;
  double decay = 0;
  bool restored = false;

  void persist(Archive& archive) {
    archive("left", left);
    archive("drift", drift);
    archive("right", right);
    archive("decay", decay);
    restored = archive.restoring();
  }
};

Outer filled() {
  Outer out;
  out.left.weights = {{"a", at::arange(6, float64()).view({2, 3})},
                      {"b", at::ones({}, at::kFloat)}};
  out.left.count = std::numeric_limits<std::int64_t>::min();
  out.right.weights = {{"a", at::tensor({5, 6, 7}, at::kLong)}};
  out.right.count = 42;
  out.decay = 0.1 + 0.2;
  return out;
}

TEST_CASE("what is saved comes back, nested and exact", "[archive]") {
  Outer before = filled();
  const Snapshot snapshot = save(before);
  CHECK(!before.restored);

  Outer after;
  after.drift = {{"old", at::ones({2})}};
  after.right.weights = {{"of another shape", at::ones({2})}};
  restore(after, snapshot);
  CHECK(after.restored);
  REQUIRE(alike(after.left.weights, before.left.weights));
  for (const char* name : {"a", "b"}) {
    const Tensor x = after.left.weights.at(name);
    CHECK(at::equal(x, before.left.weights.at(name)));
    CHECK(x.scalar_type() == before.left.weights.at(name).scalar_type());
  }
  CHECK(at::equal(after.right.weights.at("a"), before.right.weights.at("a")));
  CHECK(after.drift.empty());
  CHECK(after.left.count == before.left.count);
  CHECK(after.right.count == 42);
  CHECK(after.decay == before.decay);
}

TEST_CASE("paths join the names of nested objects", "[archive]") {
  Outer object = filled();
  const Snapshot snapshot = save(object);
  CHECK(snapshot.sets.size() == 3);
  CHECK(snapshot.sets.count("left/weights") == 1);
  CHECK(snapshot.sets.count("right/weights") == 1);
  CHECK(snapshot.sets.count("drift") == 1);
  CHECK(snapshot.integers.count("right/count") == 1);
  CHECK(snapshot.numbers.count("decay") == 1);
}

TEST_CASE("state that the snapshot lacks is named by its path", "[archive]") {
  Outer object = filled();
  const Snapshot whole = save(object);
  const auto without = [&](auto Snapshot::*values, const std::string& path) {
    Snapshot part = whole;
    REQUIRE((part.*values).erase(path) == 1);
    return part;
  };
  CHECK_THROWS_WITH(
      restore(object, without(&Snapshot::integers, "right/count")),
      ContainsSubstring("lacks 'right/count'"));
  CHECK_THROWS_WITH(restore(object, without(&Snapshot::sets, "left/weights")),
                    ContainsSubstring("lacks 'left/weights'"));
  CHECK_THROWS_WITH(restore(object, without(&Snapshot::numbers, "decay")),
                    ContainsSubstring("lacks 'decay'"));
  CHECK_THROWS_AS(restore(object, Snapshot()), Error);
}

/// Lists its state under names that a test chooses.
struct Pair {
  std::string first, second;
  Inner a, b;
  double x = 0, y = 0;
  bool numbers = false;

  void persist(Archive& archive) {
    if (numbers) {
      archive(first, x);
      archive(second, y);
    } else {
      archive(first, a);
      archive(second, b);
    }
  }
};

TEST_CASE("a name that is saved twice is refused", "[archive]") {
  Pair pair;
  pair.first = "x";
  pair.second = "y";
  pair.numbers = GENERATE(false, true);
  save(pair);
  pair.second = "x";
  CHECK_THROWS_WITH(save(pair),
                    ContainsSubstring(pair.numbers ? "'x' is saved twice"
                                                   : "'x/weights' is saved"));
  CHECK_THROWS_AS(save(pair), Error);
}

TEST_CASE("a snapshot shares no memory with what it was taken from",
          "[archive]") {
  Outer object = filled();
  object.left.weights = object.left.weights.leaves();
  const Snapshot snapshot = save(object);
  const Tensor saved = snapshot.sets.at("left/weights").at("a");
  const Tensor reference = at::arange(6, float64()).view({2, 3});
  CHECK(!saved.requires_grad());

  object.left.weights.detach().at("a").fill_(-1);
  CHECK(at::equal(saved, reference));

  Outer first, second;
  restore(first, snapshot);
  restore(second, snapshot);
  first.left.weights.at("a").fill_(-2);
  CHECK(at::equal(saved, reference));
  CHECK(at::equal(second.left.weights.at("a"), reference));
}

}  // namespace
}  // namespace nestgrad
