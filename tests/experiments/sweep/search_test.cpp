#include <cmath>
#include <set>

#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/sweep_results.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Dimension dimension(const Json& json) {
  return {"key", Config(complete(Dimension::schema(), json))};
}

Json at(const Dimension& d, double u) { return d.value_at(&u); }

}  // namespace

TEST_CASE("a dimension spreads its values evenly", "[sweep]") {
  const Dimension list = dimension({{"values", {"a", 2, nullptr}}});
  CHECK(at(list, 0) == "a");
  CHECK(at(list, 0.34) == 2);
  CHECK(at(list, 0.999999) == nullptr);
  CHECK(list.grid() == std::vector<Json>{"a", 2, nullptr});

  const Dimension log =
      dimension({{"low", 1e-4}, {"high", 1}, {"scale", "log"}, {"points", 3}});
  CHECK(at(log, 0.5).get<double>() == Approx(1e-2));
  REQUIRE(log.grid().size() == 3);
  CHECK(log.grid()[1].get<double>() == Approx(1e-2));
  CHECK(log.grid()[2] == 1.0);

  const Dimension whole = dimension({{"low", 1}, {"high", 3}, {"whole", true}});
  CHECK(at(whole, 0) == 1);
  CHECK(at(whole, 0.34) == 2);
  CHECK(at(whole, 0.99) == 3);
  CHECK(whole.grid() == std::vector<Json>{1, 2, 3});  // five points, no twice
  const Dimension rounded = dimension(
      {{"low", 1.5}, {"high", 9.5}, {"whole", true}, {"scale", "log"}});
  CHECK(at(rounded, 0) == 2);
  CHECK(at(rounded, 0.9999) == 9);

  const Dimension three = dimension({{"low", 0}, {"high", 1}, {"count", 3}});
  const double u[] = {0.1, 0.2, 0.3};
  CHECK(three.value_at(u) == Json{0.1, 0.2, 0.3});
  CHECK(three.coordinates() == 3);
  CHECK_THROWS_AS(three.grid(), ConfigError);
}

TEST_CASE("a dimension without values or with a wrong range is refused",
          "[sweep]") {
  for (const Json& wrong :
       std::vector<Json>{Json::object(),
                         {{"low", 1}},
                         {{"low", 2}, {"high", 1}},
                         {{"low", 0}, {"high", 1}, {"scale", "log"}},
                         {{"low", 1.2}, {"high", 1.8}, {"whole", true}},
                         {{"values", Json::array()}},
                         {{"values", 3}},
                         {{"values", {1}}, {"low", 0}}}) {
    CAPTURE(wrong.dump());
    CHECK_THROWS_AS(dimension(wrong), ConfigError);
  }
}

TEST_CASE("every registered search keeps to the values and to its key",
          "[sweep]") {
  const std::vector<Dimension> dimensions{
      dimension({{"values", {1, 2, 3}}}),
      dimension({{"low", -1}, {"high", 1}})};
  for (const std::string& name : SearchRegistry::instance().names()) {
    CAPTURE(name);
    const auto search = SearchRegistry::instance().make(Json{{"type", name}});
    const auto trials = search->trials(dimensions, Key(1));
    REQUIRE(trials.size() >= 15);
    for (const Assignment& trial : trials) {
      REQUIRE(trial.size() == 2);
      CHECK(trial[0].second >= 1);
      CHECK(trial[0].second <= 3);
      CHECK(trial[1].second >= -1);
      CHECK(trial[1].second <= 1);
    }
    CHECK(search->trials(dimensions, Key(1)) == trials);
    if (name == "grid") continue;
    CHECK(search->trials(dimensions, Key(2)) != trials);
  }
}

TEST_CASE("a grid has every combination once", "[sweep]") {
  const auto trials = SearchRegistry::instance()
                          .make(Json("grid"))
                          ->trials({dimension({{"values", {1, 2}}}),
                                    dimension({{"values", {"a", "b", "c"}}})},
                                   Key(1));
  std::set<std::string> seen;
  for (const Assignment& t : trials) {
    seen.insert(t[0].second.dump() + t[1].second.dump());
  }
  CHECK(trials.size() == 6);
  CHECK(seen.size() == 6);
}

TEST_CASE("a longer random search begins like a shorter one", "[sweep]") {
  const std::vector<Dimension> dimensions{dimension({{"low", 0}, {"high", 1}})};
  const auto trials = [&](int n) {
    return SearchRegistry::instance()
        .make(Json{{"type", "random"}, {"trials", n}})
        ->trials(dimensions, Key(3));
  };
  const auto few = trials(5), many = trials(9);
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
}

TEST_CASE("Sobol's sequence is the published one and fills space evenly",
          "[sweep]") {
  const std::vector<Dimension> dimensions(3,
                                          dimension({{"low", 0}, {"high", 1}}));
  const auto trials = [&](bool shift) {
    return SearchRegistry::instance()
        .make(Json{{"type", "sobol"}, {"trials", 16}, {"shift", shift}})
        ->trials(dimensions, Key(3));
  };
  const auto plain = trials(false);
  // Joe and Kuo: 0, 1/2, then (3/4, 1/4, 1/4), (1/4, 3/4, 3/4).
  const double expected[4][3] = {
      {0, 0, 0}, {0.5, 0.5, 0.5}, {0.75, 0.25, 0.25}, {0.25, 0.75, 0.75}};
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(plain[i][k].second == expected[i][k]);
    }
  }
  for (std::size_t k = 0; k < 3; ++k) {
    std::set<int> cells;
    for (const Assignment& t : plain) {
      cells.insert(static_cast<int>(16 * t[k].second.get<double>()));
    }
    CHECK(cells.size() == 16);
  }
  // Shifted, the distances stay.
  const auto shifted = trials(true);
  const auto gap = [](const std::vector<Assignment>& t) {
    const double d =
        t[1][0].second.get<double>() - t[0][0].second.get<double>();
    return d - std::floor(d);
  };
  CHECK(shifted != plain);
  CHECK(gap(shifted) == Approx(gap(plain)));
}

TEST_CASE("standard errors are those of the textbook", "[sweep]") {
  const Statistics s =
      Statistics::of({{{"a", 1}, {"b", 1}}, {{"a", 3}}, {{"a", 5}, {"b", 2}}});
  CHECK(s.mean.at("a") == Approx(3));
  CHECK(s.standard_error.at("a") == Approx(2 / std::sqrt(3)));
  CHECK(s.mean.count("b") == 0);
  CHECK(Statistics::of({{{"a", 1}}}).standard_error.empty());
}

}  // namespace nestgrad
