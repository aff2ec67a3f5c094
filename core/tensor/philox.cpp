#include "core/tensor/philox.h"

#include <ATen/ATen.h>

#include "core/tensor/key.h"
#include "core/tensor/replay.h"

namespace nestgrad {
namespace {

using at::Tensor;

constexpr std::int64_t kWord = 0xFFFFFFFF;

// The constants of Philox: what keys grow by, and what counters are multiplied
// with.
constexpr std::int64_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr std::int64_t kFactor0 = 0xD2511F53, kFactor1 = 0xCD9E8D57;

constexpr std::int64_t kWordsOfBlock = 4;
constexpr std::int64_t kBlocksOfChunk = Key::kChunk / kWordsOfBlock;

std::int64_t low(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits & 0xFFFFFFFF);
}

std::int64_t high(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits >> 32);
}

/// For each block of all streams: its number within its stream, and the two
/// words of its key.
struct Blocks {
  Tensor number, key0, key1;
};

Blocks blocks_of(const std::vector<PhiloxStream>& streams,
                 const at::Device& device) {
  const auto options = at::TensorOptions(at::kLong).device(device);
  if (streams.size() == 1) {
    const PhiloxStream& only = streams.front();
    return {at::arange(whole_blocks(only.count) / kWordsOfBlock, options),
            at::full({1}, low(only.key), options),
            at::full({1}, high(only.key), options)};
  }
  std::vector<std::int64_t> counts, firsts, key0, key1;
  std::int64_t total = 0;
  for (const PhiloxStream& stream : streams) {
    counts.push_back(whole_blocks(stream.count) / kWordsOfBlock);
    firsts.push_back(total);
    total += counts.back();
    key0.push_back(low(stream.key));
    key1.push_back(high(stream.key));
  }
  const auto n = static_cast<std::int64_t>(streams.size());
  const Tensor table = host_constant([&] {
    return at::cat({at::tensor(counts), at::tensor(firsts), at::tensor(key0),
                    at::tensor(key1)})
        .view({4, n})
        .to(device);
  });
  const Tensor stream = at::repeat_interleave(
      table[0], /*output_size=*/c10::optional<std::int64_t>(total));
  const auto of_block = [&](std::int64_t row) {
    return table[row].index_select(0, stream);
  };
  return {at::arange(total, options) - of_block(1), of_block(2), of_block(3)};
}

Tensor upper(const Tensor& product) {
  return at::bitwise_right_shift(product, 32);
}

}  // namespace

Tensor philox_words(const std::vector<PhiloxStream>& streams,
                    const at::Device& device) {
  const auto [number, first_key0, first_key1] = blocks_of(streams, device);
  Tensor key0 = first_key0, key1 = first_key1;
  // The counter: the block within its chunk, and the chunk.
  Tensor c0 = at::remainder(number, kBlocksOfChunk);
  Tensor c1 = at::zeros_like(number);
  Tensor c2 = at::floor_divide(number, kBlocksOfChunk);
  Tensor c3 = c1;
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key0 = (key0 + kWeyl0).bitwise_and(kWord);
      key1 = (key1 + kWeyl1).bitwise_and(kWord);
    }
    // 64 bits each; that int64 has a sign does not change them.
    const Tensor p0 = c0 * kFactor0, p2 = c2 * kFactor1;
    c0 = upper(p2).bitwise_xor(c1).bitwise_xor(key0).bitwise_and(kWord);
    c2 = upper(p0).bitwise_xor(c3).bitwise_xor(key1).bitwise_and(kWord);
    c1 = p2.bitwise_and(kWord);
    c3 = p0.bitwise_and(kWord);
  }
  return at::stack({c0, c1, c2, c3}, -1).flatten();
}

}  // namespace nestgrad
