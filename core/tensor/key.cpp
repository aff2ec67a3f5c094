#include "core/tensor/key.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/PhiloxRNGEngine.h>

#include <cmath>
#include <vector>

#include "core/platform/error.h"
#include "core/tensor/philox.h"

namespace nestgrad {
namespace {

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that
/// spreads every bit over all others.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// Calls fill(engine, i, last) for the numbers i .. last - 1 of every chunk
/// that has some of `first` .. first + n - 1; the engine stands at number i.
/// Chunks do not depend on the number of threads, so neither do the numbers.
template <class Fill>
void for_chunks(std::uint64_t seed, std::int64_t first, std::int64_t n,
                const Fill& fill) {
  constexpr std::int64_t kChunk = Key::kChunk;
  const std::int64_t end = first + n;
  at::parallel_for(first / kChunk, (end + kChunk - 1) / kChunk, 8,
                   [&](std::int64_t chunk, std::int64_t last_chunk) {
                     for (; chunk < last_chunk; ++chunk) {
                       at::Philox4_32 engine(
                           seed, static_cast<std::uint64_t>(chunk), 0);
                       std::int64_t i = chunk * kChunk;
                       for (; i < first; ++i) engine();
                       fill(engine, i, std::min(end, (chunk + 1) * kChunk));
                     }
                   });
}

/// A number in [0, 1) with 24 random bits.
float unit(at::Philox4_32& engine) {
  return static_cast<float>(engine() >> 8) * 0x1p-24f;
}

/// Numbers in [0, 1), from number `first` on, [count], float32.
Tensor uniform_on_cpu(std::uint64_t seed, std::int64_t first,
                      std::int64_t count) {
  Tensor out = at::empty({count}, at::kFloat);
  float* const data = out.data_ptr<float>();
  for_chunks(seed, first, count,
             [&](at::Philox4_32& engine, std::int64_t i, std::int64_t last) {
               for (; i < last; ++i) data[i - first] = unit(engine);
             });
  return out;
}

constexpr double kTurn = 6.283185307179586;

/// Standard normal numbers, from number `first` on, which is even; [count],
/// float64. Box and Muller: two uniform numbers make two normal ones.
Tensor normal_on_cpu(std::uint64_t seed, std::int64_t first,
                     std::int64_t count) {
  Tensor out = at::empty({count}, at::kDouble);
  double* const data = out.data_ptr<double>();
  for_chunks(seed, first, count,
             [&](at::Philox4_32& engine, std::int64_t i, std::int64_t last) {
               for (; i < last; i += 2) {
                 const double r = std::sqrt(-2 * std::log1p(-unit(engine)));
                 const double angle = kTurn * unit(engine);
                 data[i - first] = r * std::cos(angle);
                 if (i + 1 < last) data[i + 1 - first] = r * std::sin(angle);
               }
             });
  return out;
}

/// The same two from the words of philox_words().

Tensor uniform_of(const Tensor& words) {
  return at::bitwise_right_shift(words, 8).to(at::kFloat) * 0x1p-24;
}

Tensor normal_of(const Tensor& words) {
  const Tensor pairs = uniform_of(words).view({-1, 2});
  const Tensor r = (-2 * (-pairs.select(1, 0)).log1p()).sqrt().to(at::kDouble);
  const Tensor angle = kTurn * pairs.select(1, 1).to(at::kDouble);
  return at::stack({r * angle.cos(), r * angle.sin()}, -1).flatten();
}

/// A kind of random numbers: how it is drawn on the CPU, and what other devices
/// make of random words.
struct Distribution {
  Tensor (*on_cpu)(std::uint64_t seed, std::int64_t first, std::int64_t count);
  Tensor (*of_words)(const Tensor& words);
};

constexpr Distribution kUniform{uniform_on_cpu, uniform_of};
constexpr Distribution kNormal{normal_on_cpu, normal_of};

/// Tensors shaped like `like`; each has the key of its place in `seeds` and
/// begins at number `begin` of its row.
std::vector<Tensor> drawn(const std::vector<std::uint64_t>& seeds,
                          const std::vector<Tensor>& like, std::int64_t begin,
                          const Distribution& distribution) {
  std::vector<Tensor> out;
  // Pairs of normal numbers and blocks of random words are drawn as a whole.
  const std::int64_t before = begin % kWordsOfBlock, start = begin - before;
  const auto add = [&](const Tensor& numbers, const Tensor& as) {
    out.push_back(numbers.view(as.sizes()).to(as.options()));
  };
  if (like.empty()) return out;
  if (like.front().is_cpu()) {
    for (std::size_t i = 0; i < like.size(); ++i) {
      const Tensor numbers =
          distribution.on_cpu(seeds[i], start, before + like[i].numel());
      add(before == 0 ? numbers : numbers.slice(0, before), like[i]);
    }
    return out;
  }
  // All tensors at once: a device computes few long operators best.
  std::vector<PhiloxStream> streams;
  for (std::size_t i = 0; i < like.size(); ++i) {
    streams.push_back({seeds[i], before + like[i].numel(), start});
  }
  const Tensor numbers =
      distribution.of_words(philox_words(streams, like.front().device()));
  std::int64_t first = 0;
  for (const Tensor& as : like) {
    add(numbers.narrow(0, first + before, as.numel()), as);
    first += whole_blocks(before + as.numel());
  }
  return out;
}

Tensor drawn(const Key& key, const Tensor& like, std::int64_t first,
             const Distribution& distribution) {
  require(first >= 0, "the first number of a draw must be at least 0, is {}",
          first);
  const std::vector<std::uint64_t> seeds{key.bits()};
  return drawn(seeds, std::vector<Tensor>{like}, first, distribution).front();
}

/// Tensor number i is drawn by key.fold(i).
ParameterSet drawn(const Key& key, const ParameterSet& like,
                   const Distribution& distribution) {
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; i < like.size(); ++i) {
    seeds.push_back(key.fold(i).bits());
  }
  return like.with(drawn(seeds, like.tensors(), 0, distribution));
}

/// The sign of 1/2 - u for uniform numbers u.
Tensor signs_of(const Tensor& uniform) {
  return 2 * (uniform < 0.5).to(uniform.scalar_type()) - 1;
}

}  // namespace

Key Key::fold(std::uint64_t n) const {
  return Key(mix(mix(bits_ + 0x9E3779B97F4A7C15ULL) ^ mix(~n)));
}

Key Key::fold(std::string_view name) const {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return fold(mix(hash));
}

Tensor Key::normal(const Tensor& like, std::int64_t first) const {
  return drawn(*this, like, first, kNormal);
}

ParameterSet Key::normal(const ParameterSet& like) const {
  return drawn(*this, like, kNormal);
}

Tensor Key::uniform(const Tensor& like, std::int64_t first) const {
  return drawn(*this, like, first, kUniform);
}

Tensor Key::signs(const Tensor& like, std::int64_t first) const {
  return signs_of(uniform(like, first));
}

ParameterSet Key::signs(const ParameterSet& like) const {
  return drawn(*this, like, kUniform).map(signs_of);
}

Tensor Key::permutation(std::int64_t n) const {
  Tensor order = at::arange(n, at::kLong);
  std::int64_t* const data = order.data_ptr<std::int64_t>();
  at::Philox4_32 engine(bits_, 0, 0);
  // Fisher and Yates. A 64-bit draw makes the bias of % smaller than 2^-30.
  for (std::int64_t i = n - 1; i > 0; --i) {
    const std::uint64_t high = engine();
    const std::uint64_t draw = (high << 32) | engine();
    std::swap(data[i], data[draw % static_cast<std::uint64_t>(i + 1)]);
  }
  return order;
}

}  // namespace nestgrad
