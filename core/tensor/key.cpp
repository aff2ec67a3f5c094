#include "core/tensor/key.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/PhiloxRNGEngine.h>

#include <cmath>

namespace nestgrad {
namespace {

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that
/// spreads every bit over all others.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// Numbers per independent Philox subsequence. Chunks do not depend on the
// number of threads, so neither do the numbers.
constexpr std::int64_t kChunk = 1024;

/// Calls fill(engine, first, last) for every chunk of 0 .. n-1.
template <class Fill>
void for_chunks(std::uint64_t seed, std::int64_t n, const Fill& fill) {
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  at::parallel_for(0, chunks, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      at::Philox4_32 engine(seed, static_cast<std::uint64_t>(chunk), 0);
      fill(engine, chunk * kChunk, std::min(n, (chunk + 1) * kChunk));
    }
  });
}

/// A number in [0, 1) with 24 random bits.
float unit(at::Philox4_32& engine) {
  return static_cast<float>(engine() >> 8) * 0x1p-24f;
}

Tensor moved(const Tensor& drawn, const Tensor& like) {
  return drawn.view(like.sizes()).to(like.options());
}

/// A set alike to `like` whose tensor number i is drawn by key.fold(i).
ParameterSet drawn(const Key& key, const ParameterSet& like,
                   Tensor (Key::*draw)(const Tensor& like) const) {
  std::uint64_t i = 0;
  return like.map([&](const Tensor& t) { return (key.fold(i++).*draw)(t); });
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

Tensor Key::normal(const Tensor& like) const {
  Tensor out = at::empty({like.numel()}, at::kDouble);
  double* const data = out.data_ptr<double>();
  for_chunks(bits_, like.numel(),
             [&](at::Philox4_32& engine, std::int64_t i, std::int64_t last) {
               // Box and Muller: two uniform numbers make two normal ones.
               for (; i < last; i += 2) {
                 const double r = std::sqrt(-2 * std::log1p(-unit(engine)));
                 const double angle = 6.283185307179586 * unit(engine);
                 data[i] = r * std::cos(angle);
                 if (i + 1 < last) data[i + 1] = r * std::sin(angle);
               }
             });
  return moved(out, like);
}

ParameterSet Key::normal(const ParameterSet& like) const {
  return drawn(*this, like, &Key::normal);
}

Tensor Key::uniform(const Tensor& like) const {
  Tensor out = at::empty({like.numel()}, at::kFloat);
  float* const data = out.data_ptr<float>();
  for_chunks(bits_, like.numel(),
             [&](at::Philox4_32& engine, std::int64_t i, std::int64_t last) {
               for (; i < last; ++i) data[i] = unit(engine);
             });
  return moved(out, like);
}

Tensor Key::signs(const Tensor& like) const {
  return 2 * (uniform(like) < 0.5).to(like.scalar_type()) - 1;
}

ParameterSet Key::signs(const ParameterSet& like) const {
  return drawn(*this, like, &Key::signs);
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
