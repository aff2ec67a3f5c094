#include "core/tensor/key.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMany = 100003;  // more than one chunk, and a rest

Tensor like(std::int64_t n) { return at::empty({n}, float64()); }

/// All that a key can draw, in one row.
Tensor draws(const Key& key) {
  return at::cat({key.normal(like(kMany)), key.uniform(like(kMany)),
                  key.permutation(1000).to(at::kDouble)});
}

double correlation(const Tensor& a, const Tensor& b) {
  const Tensor x = a - a.mean(), y = b - b.mean();
  return (at::dot(x, y) / (x.norm() * y.norm())).item<double>();
}

/// Four standard deviations of a sample correlation.
double bound(std::int64_t n) { return 4 / std::sqrt(static_cast<double>(n)); }

/// The largest distance between the distribution of `sample` and the one whose
/// values at the sorted sample are `expected`, times sqrt(n).
double kolmogorov_smirnov(const Tensor& expected) {
  const auto n = static_cast<double>(expected.numel());
  const Tensor above = at::arange(1, n + 1, float64()) / n;
  const Tensor distance =
      at::max((above - expected).abs(), (above - 1 / n - expected).abs());
  return distance.max().item<double>() * std::sqrt(n);
}

TEST_CASE("uniform numbers are the first words of Philox4x32-10", "[key]") {
  // Counter 0 and key 0, from the known answers of Random123.
  const std::vector<double> words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c,
                                  0x9b00dbd8};
  const Tensor expected =
      (at::tensor(words, float64()) / 256).floor() * std::pow(2.0, -24);
  CHECK(at::equal(Key(0).uniform(like(4)), expected));
}

TEST_CASE("the same key gives the same numbers, whatever else goes on",
          "[key]") {
  const Key key(7);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor first = draws(key);
  CHECK(at::equal(draws(key), first));
  CHECK(at::equal(draws(Key(7)), first));

  at::Generator global = at::detail::getDefaultCPUGenerator();
  const std::uint64_t seed = global.current_seed();
  global.set_current_seed(123);
  CHECK(at::equal(draws(key), first));
  global.set_current_seed(seed);

  at::set_num_threads(2);
  CHECK(at::equal(draws(key), first));
  at::set_num_threads(threads);
}

TEST_CASE("drawing leaves the global generator alone", "[key]") {
  const at::Generator global = at::detail::getDefaultCPUGenerator();
  const Tensor before = global.get_state();
  draws(Key(1).fold("a").fold(2));
  CHECK(at::equal(global.get_state(), before));
}

TEST_CASE("different keys have uncorrelated streams", "[key]") {
  const Key root(7);
  const std::vector<Key> keys{root,
                              Key(8),
                              Key(7 + (std::uint64_t{1} << 40)),
                              root.fold(0),
                              root.fold(1),
                              root.fold("noise"),
                              root.fold("noises"),
                              root.fold(""),
                              root.fold("noise").fold(0),
                              root.fold("noise").fold(1),
                              root.fold(0).fold(1),
                              root.fold(1).fold(0),
                              Key(8).fold(0)};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      CAPTURE(i, j);
      REQUIRE(keys[i].bits() != keys[j].bits());
      CHECK(std::abs(correlation(keys[i].normal(like(kMany)),
                                 keys[j].normal(like(kMany)))) < bound(kMany));
      CHECK(std::abs(correlation(keys[i].uniform(like(kMany)),
                                 keys[j].uniform(like(kMany)))) < bound(kMany));
      CHECK(!at::equal(keys[i].permutation(100), keys[j].permutation(100)));
    }
  }
}

TEST_CASE(
    "signs are +1 or -1 with equal probability, and sets have independent "
    "ones",
    "[key]") {
  ParameterSet like_both;
  like_both.insert("a", like(kMany));
  like_both.insert("b", like(kMany));
  const ParameterSet signs = Key(9).signs(like_both);
  const Tensor a = signs.at("a"), b = signs.at("b");
  CHECK(at::equal(a.abs(), at::ones_like(a)));
  CHECK(std::abs(a.mean().item<double>()) < bound(kMany));
  CHECK(std::abs(b.mean().item<double>()) < bound(kMany));
  CHECK(std::abs(correlation(a, b)) < bound(kMany));
  CHECK(at::equal(signs.at("a"), Key(9).signs(like_both).at("a")));
}

TEST_CASE("the numbers within a stream are uncorrelated", "[key]") {
  // 1 and 2: pairs made together; 1024: neighbours in different chunks.
  const auto lag = GENERATE(1, 2, 4, 1023, 1024);
  CAPTURE(lag);
  const std::int64_t n = kMany - lag;
  for (const Tensor& x :
       {Key(3).normal(like(kMany)), Key(3).uniform(like(kMany))}) {
    CHECK(std::abs(correlation(x.narrow(0, 0, n), x.narrow(0, lag, n))) <
          bound(n));
    CHECK(std::abs(correlation(x.narrow(0, 0, n).square(),
                               x.narrow(0, lag, n).square())) < bound(n));
  }
}

TEST_CASE("the first numbers of consecutive folds are uncorrelated", "[key]") {
  std::vector<double> first;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    first.push_back(
        Key(11).fold("step").fold(i).normal(like(1)).item<double>());
  }
  const Tensor x = at::tensor(first, float64());
  CHECK(std::abs(correlation(x.narrow(0, 0, 9999), x.narrow(0, 1, 9999))) <
        bound(9999));
  const Tensor sorted = std::get<0>(x.sort());
  CHECK(kolmogorov_smirnov(0.5 * at::erfc(-sorted / std::sqrt(2.0))) < 1.95);
}

TEST_CASE("folding does not collide", "[key]") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (std::uint64_t n = 0; n < 1000; ++n) {
      seen.insert(Key(seed).fold(n).bits());
      seen.insert(Key(seed).fold(std::to_string(n)).bits());
      seen.insert(Key(seed).fold(n << 32).bits());
    }
  }
  // n << 32 equals n once per seed, at 0.
  CHECK(seen.size() == 30000 - 10);
}

TEST_CASE("normal numbers are normal", "[key]") {
  const Tensor x = Key(5).normal(like(kMany));
  const auto n = static_cast<double>(kMany);
  const auto moment = [&](int power) {
    return x.pow(power).mean().item<double>();
  };
  // Four standard deviations of each sample moment: E x^(2k) = 1, 3, 15, 105.
  CHECK(std::abs(moment(1)) < 4 * std::sqrt(1 / n));
  CHECK(std::abs(moment(2) - 1) < 4 * std::sqrt(2 / n));
  CHECK(std::abs(moment(3)) < 4 * std::sqrt(15 / n));
  CHECK(std::abs(moment(4) - 3) < 4 * std::sqrt(96 / n));
  const Tensor sorted = std::get<0>(x.sort());
  // A larger distance has a probability of 0.001.
  CHECK(kolmogorov_smirnov(0.5 * at::erfc(-sorted / std::sqrt(2.0))) < 1.95);
}

TEST_CASE("uniform numbers are uniform multiples of 2^-24 below 1", "[key]") {
  const Tensor x = Key(5).uniform(like(kMany));
  const auto n = static_cast<double>(kMany);
  CHECK(x.min().item<double>() >= 0);
  CHECK(x.max().item<double>() < 1);
  const Tensor scaled = x * std::pow(2.0, 24);
  CHECK(at::equal(scaled, scaled.round()));
  CHECK(std::abs(x.mean().item<double>() - 0.5) < 4 * std::sqrt(1 / 12. / n));
  CHECK(std::abs((x - 0.5).square().mean().item<double>() - 1 / 12.) <
        4 * std::sqrt(1 / 180. / n));
  CHECK(kolmogorov_smirnov(std::get<0>(x.sort())) < 1.95);
  // The lowest bit is a fair coin.
  CHECK(std::abs(at::remainder(scaled, 2).mean().item<double>() - 0.5) <
        4 * std::sqrt(0.25 / n));
}

TEST_CASE("draws have the shape and type that they are asked for", "[key]") {
  const Key key(9);
  const Tensor shape = at::empty({2, 3, 5}, at::kFloat).requires_grad_();
  for (const Tensor& x : {key.normal(shape), key.uniform(shape)}) {
    CHECK(x.sizes() == shape.sizes());
    CHECK(x.scalar_type() == at::kFloat);
    CHECK(!x.requires_grad());
  }
  // Neither shape nor type changes the numbers.
  CHECK(at::equal(key.normal(shape).flatten(),
                  key.normal(like(30)).to(at::kFloat)));
  CHECK(at::equal(key.uniform(shape).flatten(),
                  key.uniform(like(30)).to(at::kFloat)));
  CHECK(key.normal(like(0)).numel() == 0);
  CHECK(key.normal(at::empty({}, float64())).dim() == 0);
}

TEST_CASE("the tensors of a set get independent numbers", "[key]") {
  const ParameterSet set{{"a", like(kMany)}, {"b", like(kMany)}};
  const ParameterSet drawn = Key(2).normal(set);
  REQUIRE(alike(drawn, set));
  CHECK(std::abs(correlation(drawn.at("a"), drawn.at("b"))) < bound(kMany));
  CHECK(at::equal(Key(2).normal(set).flatten(), drawn.flatten()));
}

TEST_CASE("a permutation holds every number once", "[key]") {
  const auto n = GENERATE(0, 1, 2, 10, 1000);
  CAPTURE(n);
  const Tensor order = Key(4).permutation(n);
  CHECK(order.scalar_type() == at::kLong);
  REQUIRE(order.sizes() == at::IntArrayRef({n}));
  CHECK(at::equal(std::get<0>(order.sort()), at::arange(n, at::kLong)));
}

TEST_CASE("every order of four is equally likely", "[key]") {
  std::map<std::vector<std::int64_t>, int> counts;
  for (std::uint64_t i = 0; i < 24000; ++i) {
    const Tensor order = Key(6).fold(i).permutation(4);
    const auto* const data = order.data_ptr<std::int64_t>();
    ++counts[{data, data + 4}];
  }
  REQUIRE(counts.size() == 24);
  double chi_square = 0;
  for (const auto& [order, count] : counts) {
    chi_square += std::pow(count - 1000, 2) / 1000;
  }
  // 23 degrees of freedom: mean 23, standard deviation sqrt(46).
  CHECK(chi_square < 23 + 4 * std::sqrt(46));
  CHECK(chi_square > 23 - 3 * std::sqrt(46));
}

TEST_CASE("every number is equally likely in every place", "[key]") {
  constexpr std::int64_t kSize = 20, kDraws = 8000;
  Tensor counts = at::zeros({kSize, kSize}, float64());
  const Tensor places = at::arange(kSize, at::kLong);
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    counts.index_put_({places, Key(8).fold(i).permutation(kSize)},
                      at::ones({}, float64()), /*accumulate=*/true);
  }
  // Rows and columns have fixed sums: (kSize - 1)^2 degrees of freedom, after
  // the factor (kSize - 1) / kSize.
  const double expected = kDraws / static_cast<double>(kSize);
  const double chi_square = (counts - expected).square().sum().item<double>() /
                            expected * (kSize - 1) / kSize;
  const double degrees = (kSize - 1) * (kSize - 1);
  CHECK(std::abs(chi_square - degrees) < 4 * std::sqrt(2 * degrees));
}

}  // namespace
}  // namespace nestgrad
