#include "hypergrad/unrolled/exact_vector.h"

#include <cmath>
#include <vector>

#include "core/tensor/key.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Numbers that fill all 64 bits, of both signs, and the outermost ones.
ExactVector all_kinds(const Key& key, std::int64_t n = 1000) {
  Tensor high =
      4095.99 * (key.fold("high").uniform(at::empty({n}, float64())) - 0.5);
  const Tensor low =
      std::ldexp(1, -41) * key.fold("low").normal(at::empty({n}, float64()));
  const double largest = std::nextafter(2048, 0), unit = std::ldexp(1, -52);
  const double corners[] = {0, unit, -unit, largest, -largest, 1, -1};
  for (int j = 0; j < 7; ++j) high[j] = corners[j];
  ExactVector out(high);
  low.narrow(0, 0, 7).zero_();
  out.add(low);
  REQUIRE_FALSE(out.overflowed());
  return out;
}

const std::vector<double> kFactors = {0.5, 0.875,  0.9,   0.98,
                                      1.0, 0.9999, 0.001, 1e-12};

}  // namespace

TEST_CASE("a ratio is the simplest or else the nearest one, in lowest terms",
          "[exact_vector]") {
  const auto is = [](double value, std::int64_t n, std::int64_t d) {
    const Ratio ratio = Ratio::near(value);
    return ratio.numerator == n && ratio.denominator == d;
  };
  CHECK(is(0.875, 7, 8));
  CHECK(is(0.9, 9, 10));
  CHECK(is(0.98, 49, 50));
  CHECK(is(0.999, 999, 1000));
  CHECK(is(2.0 / 3, 2, 3));
  CHECK(is(12345.0 / 65535, 823, 4369));
  CHECK(is(1, 1, 1));
  CHECK(is(1e-12, 1, 65536));
  CHECK(is(1 - 1e-12, 1, 1));
  // By trying all denominators.
  for (const double value : {0.9 + 1e-8, std::sqrt(0.5), std::exp(-1), 2.2e-5,
                             double{0.99f}, 1 - 1e-5}) {
    CAPTURE(value);
    double least = 1;
    for (std::int64_t d = 1; d <= Ratio::kMaxDenominator; ++d) {
      const auto scale = static_cast<double>(d);
      const double n = std::max(1.0, std::round(value * scale));
      least = std::min(least, std::abs(n / scale - value));
    }
    CHECK(std::abs(Ratio::near(value).value() - value) == least);
  }
  for (const double value : {0.0, -0.5, 1.1, std::nan("")}) {
    CHECK_THROWS_WITH(Ratio::near(value), ContainsSubstring("no ratio"));
  }
}

TEST_CASE("a product is within a numerator's units of the true one",
          "[exact_vector]") {
  for (const double factor : kFactors) {
    CAPTURE(factor);
    const Ratio ratio = Ratio::near(factor);
    const ExactVector before = all_kinds(Key(1));
    ExactVector after = before;
    BitBuffer(after).multiply(after, ratio);
    // c' d - c n = (i mod n) d - (c mod d) n; both products may wrap around,
    // their difference does not.
    const std::int64_t d = ratio.denominator;
    const Tensor error = after.units() * d - before.units() * ratio.numerator;
    CHECK(error.abs().max().item<std::int64_t>() <= ratio.numerator * d);
  }
}

TEST_CASE("dividing undoes multiplying, for numbers of all kinds and signs",
          "[exact_vector]") {
  for (const double factor : kFactors) {
    CAPTURE(factor);
    const ExactVector before = all_kinds(Key(2));
    ExactVector x = before;
    BitBuffer buffer(x);
    buffer.multiply(x, Ratio::near(factor));
    CHECK(buffer.empty() == (factor == 1));
    CHECK((x == before) == (factor == 1));
    buffer.divide(x, Ratio::near(factor));
    CHECK(x == before);
    CHECK(buffer.empty());
  }
}

TEST_CASE("thousands of products are undone, whatever is added in between",
          "[exact_vector]") {
  const std::int64_t n = 100, steps = 5000;
  const Key key(3);
  const auto ratio = [&](std::int64_t t) {
    return Ratio::near(kFactors[static_cast<std::size_t>(t * t % 7)]);
  };
  const auto push = [&](std::int64_t t) {
    return key.fold(static_cast<std::uint64_t>(t))
        .normal(at::empty({n}, float64()));
  };
  const ExactVector start(push(steps));
  ExactVector x = start;
  BitBuffer buffer(x);
  double entropy = 0;
  for (std::int64_t t = 0; t < steps; ++t) {
    buffer.multiply(x, ratio(t));
    x.add(push(t));
    entropy -= std::log2(ratio(t).value());
  }
  // No bit is wasted: what is stored is what was lost.
  CHECK(static_cast<double>(buffer.bits()) / n ==
        Approx(entropy).epsilon(1e-3));
  for (std::int64_t t = steps; t-- > 0;) {
    x.subtract(push(t));
    buffer.divide(x, ratio(t));
  }
  CHECK(x == start);
  CHECK(buffer.empty());
}

TEST_CASE("products and sums may be interleaved with their inverses",
          "[exact_vector]") {
  // Back and forth, over the places where bits go to the stack.
  const ExactVector start = all_kinds(Key(4));
  const Ratio ratio = Ratio::near(0.3);
  ExactVector x = start;
  BitBuffer buffer(x);
  std::int64_t made = 0;
  for (const int forward : {100, -60, 200, -150, 90, -180}) {
    for (int t = 0; t < std::abs(forward); ++t) {
      forward > 0 ? buffer.multiply(x, ratio) : buffer.divide(x, ratio);
    }
    made += forward;
  }
  REQUIRE(made == 0);
  CHECK(x == start);
  CHECK(buffer.empty());
}

TEST_CASE("sums of reals are exact and scaled ones, too", "[exact_vector]") {
  const ExactVector start = all_kinds(Key(5));
  const Tensor x = Key(6).normal(at::empty({1000}, float64()));
  const ExactVector v(x);
  ExactVector moved = start;
  moved.add(x);
  CHECK_FALSE(moved == start);
  moved.subtract(0.05, v);
  moved.add(0.05, v);
  moved.subtract(x);
  CHECK(moved == start);
  // Doubles and floats come back as they were where they have no bits below
  // 2^-52.
  const Tensor coarse = Key(7).uniform(at::empty({100}, float64())) - 0.5;
  CHECK(at::equal(ExactVector(coarse).values(), coarse));
  CHECK(at::equal(ExactVector(coarse.to(at::kFloat)).values(),
                  coarse.to(at::kFloat)));
  CHECK(ExactVector(at::tensor({-1.7 * std::ldexp(1, -52)}, float64()))
            .units()
            .item<std::int64_t>() == -1);
}

TEST_CASE("overflow is told, and can be undone", "[exact_vector]") {
  const auto of = [](double x) { return at::tensor({x}, float64()); };
  for (const double x :
       std::vector<double>{2048, -2048, 1e300, -INFINITY, NAN}) {
    CAPTURE(x);
    CHECK(ExactVector(of(x)).overflowed());
  }
  const ExactVector start(of(2047));
  CHECK_FALSE(start.overflowed());
  ExactVector x = start;
  x.add(2, start);
  CHECK(x.overflowed());
  ExactVector y = start;
  y.add(of(1));
  CHECK(y.overflowed());
  y.subtract(of(1));
  CHECK(y == start);
  CHECK(y.overflowed());
  ExactVector z(of(-2047));
  z.subtract(1, start);
  CHECK(z.overflowed());
}

namespace {

/// How far gradient descent with momentum in floating point ends from its
/// start after `steps` steps and the same steps backwards.
template <class Gradient>
double error_of_way_back(const Gradient& gradient, double gamma, double alpha,
                         std::int64_t n, std::int64_t steps) {
  const Tensor x0 = Key(8).normal(at::empty({n}, float64()));
  Tensor x = x0, u = at::zeros_like(x0);
  for (std::int64_t t = 0; t < steps; ++t) {
    u = gamma * u - (1 - gamma) * gradient(x);
    x = x + alpha * u;
  }
  for (std::int64_t t = 0; t < steps; ++t) {
    x = x - alpha * u;
    u = (u + (1 - gamma) * gradient(x)) / gamma;
  }
  return (x - x0).abs().max().item<double>();
}

}  // namespace

TEST_CASE("gradient descent runs backwards where floating point cannot",
          "[exact_vector]") {
  // Maclaurin's form on sum_j a_j x_j^2 / 2 + 0.1 sin(3 sum_j x_j / sqrt(n)).
  // The least curvature is 0.1: what is flat hides no error of the way back,
  // which grows like gamma^-steps and shrinks with curvature.
  const std::int64_t n = 30, steps = 500;
  const double alpha = 0.05;
  const Tensor a = at::linspace(0.1, 1.0, n, float64());
  const Tensor along = at::full({n}, 1 / std::sqrt(n), float64());
  const auto gradient = [&](const Tensor& x) {
    return a * x + 0.3 * (3 * along.dot(x)).cos() * along;
  };
  struct Row {
    double gamma, bits, log_error;
  };
  for (const Row& row :
       {Row{0.5, 0.996, 129}, Row{0.9, 0.150, 4}, Row{0.98, 0.0272, -13}}) {
    CAPTURE(row.gamma);
    const Ratio gamma = Ratio::near(row.gamma);
    double bits = 0;
    constexpr int kStarts = 20;
    for (std::uint64_t key = 0; key < kStarts; ++key) {
      const ExactVector start(Key(key).normal(at::empty({n}, float64())));
      const ExactVector rest(at::zeros({n}, float64()));
      ExactVector w = start, v = rest;
      BitBuffer lost(v);
      const auto push = [&] { return (1 - row.gamma) * gradient(w.values()); };
      for (int t = 0; t < steps; ++t) {
        const Tensor g = push();
        lost.multiply(v, gamma);
        v.subtract(g);
        w.add(alpha, v);
      }
      bits += static_cast<double>(lost.bits()) / (n * steps * kStarts);
      for (int t = 0; t < steps; ++t) {
        w.subtract(alpha, v);
        v.add(push());
        lost.divide(v, gamma);
      }
      CHECK(w == start);
      CHECK(v == rest);
      CHECK(lost.empty());
    }
    // row.bits is log2 of the buffer; whole digits are half a bit more. It is
    // from one start, and its standard error is 7e-4: that of 20 is 1.5e-4.
    CHECK(bits == Approx(row.bits + 0.5 / steps).margin(1.4e-3).epsilon(0));

    const double log_error =
        std::log10(error_of_way_back(gradient, row.gamma, alpha, n, steps));
    CHECK(log_error == Approx(row.log_error).margin(2));
  }
}

}  // namespace nestgrad
