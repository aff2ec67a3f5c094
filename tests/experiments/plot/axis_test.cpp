#include "experiments/plot/axis.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "tests/experiments/plot/picture.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {


std::vector<double> values_of(const std::vector<Tick>& ticks) {
  std::vector<double> values;
  for (const Tick& tick : ticks) values.push_back(tick.value);
  return values;
}

std::vector<std::string> labels_of(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST_CASE("ticks of a linear axis are multiples of 1, 2 or 5", "[axis]") {
  const auto positions = [](double low, double high) {
    return values_of(ticks(Axis{low, high}, 6));
  };
  using Values = std::vector<double>;
  CHECK(positions(0, 1) == Values{0, 0.2, 0.4, 0.6, 0.8, 1});
  CHECK(positions(0.3, 97) == Values{20, 40, 60, 80});
  CHECK(positions(-0.013, 0.031) == Values{-0.01, 0, 0.01, 0.02, 0.03});
  CHECK(positions(0, 24680) == Values{0, 5000, 10000, 15000, 20000});
  CHECK(positions(1.0001, 1.0004) == Values{1.0001, 1.0002, 1.0003, 1.0004});
  CHECK(positions(-3e-9, 1e-9) == Values{-3e-9, -2e-9, -1e-9, 0, 1e-9});
}

TEST_CASE("no more ticks are given than asked for", "[axis]") {
  const int most = GENERATE(2, 3, 6, 9);
  for (double high = 1.013; high < 11; high += 0.37) {
    const std::size_t count = ticks(Axis{0, high}, most).size();
    CAPTURE(most, high);
    CHECK(count <= static_cast<std::size_t>(most));
    // Steps grow by factors of up to 2.5.
    CHECK(2.5 * static_cast<double>(count) >= most - 2);
  }
}

TEST_CASE("ticks of counts are whole numbers", "[axis]") {
  using Values = std::vector<double>;
  CHECK(values_of(ticks(Axis{1, 3, false, true}, 9)) == Values{1, 2, 3});
  CHECK(values_of(ticks(Axis{1, 3, false, false}, 5)) ==
        Values{1, 1.5, 2, 2.5, 3});
}

TEST_CASE("ticks of a logarithmic axis are powers of ten", "[axis]") {
  const auto positions = [](double low, double high) {
    return values_of(ticks(Axis{low, high, true}, 6));
  };
  using Values = std::vector<double>;
  CHECK(positions(7e-5, 0.05) == Values{1e-4, 1e-3, 1e-2});
  CHECK(positions(1, 100) == Values{1, 10, 100});

  SECTION("but not all of them if there are many") {
    CHECK(positions(1e-6, 1) == Values{1e-6, 1e-4, 1e-2, 1});
    CHECK(positions(1e-17, 0.1) == Values{1e-15, 1e-10, 1e-5});
  }
  SECTION("also 2 and 5 below two decades") {
    CHECK(positions(0.05, 3) == Values{0.05, 0.1, 0.2, 0.5, 1, 2});
    CHECK(positions(9e-5, 6e-4) == Values{1e-4, 2e-4, 5e-4});
  }
  SECTION("evenly spaced values if too few of these fit") {
    CHECK(positions(0.03, 0.12) == Values{0.04, 0.06, 0.08, 0.1, 0.12});
  }
}

TEST_CASE("labels of ticks are short and tell neighbours apart", "[axis]") {
  using Labels = std::vector<std::string>;
  const auto [low, high, logarithmic, labels] =
      GENERATE(table<double, double, bool, Labels>(
          {{0, 1, false, {"0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
           {0.9, 1.12, false, {"0.90", "0.95", "1.00", "1.05", "1.10"}},
           {0, 24680, false, {"0", "5k", "10k", "15k", "20k"}},
           {1e4, 1.2e4, false, {"10.0k", "10.5k", "11.0k", "11.5k", "12.0k"}},
           {-4e6, 4e6, false, {"-4M", "-2M", "0", "2M", "4M"}},
           {0, 4.4e-5, false, {"0", "1e-5", "2e-5", "3e-5", "4e-5"}},
           {1.5e-5, 3e-5, false, {"1.5e-5", "2e-5", "2.5e-5", "3e-5"}},
           {1e12,
            1.02e12,
            false,
            {"1e12", "1.005e12", "1.01e12", "1.015e12", "1.02e12"}},
           {1.0001,
            1.0003,
            false,
            {"1.00010", "1.00015", "1.00020", "1.00025", "1.00030"}},
           {1e-4, 10, true, {"1e-4", "0.001", "0.01", "0.1", "1", "10"}},
           {50, 3000, true, {"50", "100", "200", "500", "1000", "2000"}},
           {0.03, 0.12, true, {"0.04", "0.06", "0.08", "0.10", "0.12"}}}));
  CAPTURE(low, high);
  CHECK(labels_of(ticks(Axis{low, high, logarithmic}, 6)) == labels);
}

TEST_CASE("numbers are written briefly", "[axis]") {
  CHECK(brief(0) == "0");
  CHECK(brief(-0.0) == "0");
  CHECK(brief(1e-4) == "1e-4");
  CHECK(brief(0.35) == "0.35");
  CHECK(brief(0.123456) == "0.123");
  CHECK(brief(0.00123456) == "0.00123");
  CHECK(brief(0.000123456) == "1.23e-4");
  CHECK(brief(-12.3456) == "-12.3");
  CHECK(brief(100) == "100");
  CHECK(brief(1234.4) == "1234");
  CHECK(brief(9999.9) == "10k");
  CHECK(brief(20000) == "20k");
  CHECK(brief(123456) == "123k");
  CHECK(brief(1.5e6) == "1.5M");
  CHECK(brief(2.5e10) == "2.5e10");
  CHECK(brief(0.123456, 5) == "0.12346");
  CHECK(brief(kNan) == "nan");
  CHECK(brief(-kInfinity) == "-inf");
}

TEST_CASE("values over more than a factor of ten suit a logarithmic axis",
          "[axis]") {
  CHECK(suits_logarithm({1e-3, 1e-1}));
  CHECK_FALSE(suits_logarithm({0.1, 0.9}));
  CHECK_FALSE(suits_logarithm({0, 1, 100}));
  CHECK_FALSE(suits_logarithm({-1, 1, 100}));
  CHECK(suits_logarithm({1, NAN, 100}));
  CHECK_FALSE(suits_logarithm({}));
}

TEST_CASE("an axis holds its values", "[axis]") {
  const Axis axis = axis_around({3, -1, 2.5}, false);
  CHECK(axis.low == -1);
  CHECK(axis.high == 3);
  CHECK_FALSE(axis.whole);
  CHECK(axis.fraction(0) == Approx(0.25));
  CHECK(axis_around({3, -1, 2}, false).whole);

  const Axis decades = axis_around({1e-3, 10}, true);
  CHECK(decades.fraction(0.1) == Approx(0.5));

  SECTION("with a range around a constant") {
    const double constant = GENERATE(0.0, 5.0, -5.0, 1e-9, 1e200);
    const Axis around = axis_around({constant, constant * (1 + 1e-12)}, false);
    CAPTURE(constant);
    CHECK(around.fraction(constant) == Approx(0.5));
    CHECK(around.high - around.low ==
          Approx(constant == 0 ? 2 : std::abs(constant)));
  }
  SECTION("with a range around a constant on a logarithmic axis") {
    const Axis around = axis_around({1e-4, 1e-4}, true);
    CHECK(around.low == Approx(1e-4 / 3));
    CHECK(around.high == Approx(3e-4));
  }
}

TEST_CASE("a widened axis does not cross zero", "[axis]") {
  const Axis across = widened(Axis{-1, 3}, 0.25);
  CHECK(across.low == -2);
  CHECK(across.high == 4);
  const Axis above = widened(Axis{0.5, 4.5}, 0.25);
  CHECK(above.low == 0);
  CHECK(above.high == 5.5);
  const Axis below = widened(Axis{-4.5, -0.5}, 0.25);
  CHECK(below.low == -5.5);
  CHECK(below.high == 0);
  const Axis decades = widened(Axis{0.01, 100, true}, 0.25);
  CHECK(decades.low == Approx(0.001));
  CHECK(decades.high == Approx(1000));
}

TEST_CASE("the longest axis has ticks", "[axis]") {
  const Axis decades = widened(axis_around({1e-250, 1e250}, true), 0.06);
  CHECK(decades.fraction(1) == Approx(0.5));
  CHECK(values_of(ticks(decades, 6)) ==
        std::vector<double>{1e-200, 1e-100, 1, 1e100, 1e200});
  CHECK(ticks(widened(axis_around({-1e250, 1e250}, false), 0.06), 6).size() ==
        5);
}

}  // namespace
}  // namespace nestgrad
