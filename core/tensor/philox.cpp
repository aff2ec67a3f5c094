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

constexpr std::int64_t kBlocksOfChunk = Key::kChunk / kWordsOfBlock;

std::int64_t low(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits & 0xFFFFFFFF);
}

std::int64_t high(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits >> 32);
}

/// For each block of all streams: its number within its stream, and the two
/// words of its key, as rows.
struct Blocks {
  Tensor number, keys;
};

/// Two rows of one number each.
Tensor rows(std::int64_t first, std::int64_t second,
            const at::TensorOptions& options) {
  const Tensor out = at::full({2, 1}, first, options);
  out[1].fill_(second);
  return out;
}

Blocks blocks_of(const std::vector<PhiloxStream>& streams,
                 const at::Device& device) {
  const auto options = at::TensorOptions(at::kLong).device(device);
  if (streams.size() == 1) {
    const PhiloxStream& only = streams.front();
    const std::int64_t begin = only.first / kWordsOfBlock;
    const std::int64_t count = whole_blocks(only.count) / kWordsOfBlock;
    return {at::arange(begin, begin + count, options),
            rows(low(only.key), high(only.key), options)};
  }
  std::vector<std::int64_t> counts, firsts, key0, key1;
  std::int64_t total = 0;
  for (const PhiloxStream& stream : streams) {
    counts.push_back(whole_blocks(stream.count) / kWordsOfBlock);
    firsts.push_back(total - stream.first / kWordsOfBlock);
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
  return {at::arange(total, options) - table[1].index_select(0, stream),
          table.narrow(0, 2, 2).index_select(1, stream)};
}

}  // namespace

Tensor philox_words(const std::vector<PhiloxStream>& streams,
                    const at::Device& device) {
  const auto [number, first_keys] = blocks_of(streams, device);
  const auto options = number.options();
  const Tensor factors = rows(kFactor0, kFactor1, options);
  const Tensor weyl = rows(kWeyl0, kWeyl1, options);
  // The counter of four words: the block within its chunk, 0, the chunk, 0. Its
  // even words are the rows of one tensor, its odd words of another, so that a
  // device gets few operators. Where words grow beyond 32 bits they are cut
  // before they are multiplied, and at the end.
  Tensor even = at::stack({at::remainder(number, kBlocksOfChunk),
                           at::floor_divide(number, kBlocksOfChunk)});
  Tensor odd = at::zeros_like(even), keys = first_keys;
  for (int round = 0; round < 10; ++round) {
    if (round > 0) keys = keys + weyl;
    // 64 bits each; that int64 has a sign does not change them.
    const Tensor products = (even * factors).flip(0);
    even = at::bitwise_right_shift(products, 32)
               .bitwise_xor(odd)
               .bitwise_xor(keys)
               .bitwise_and(kWord);
    odd = products;
  }
  odd = odd.bitwise_and(kWord);
  return at::stack({even[0], odd[0], even[1], odd[1]}, -1).flatten();
}

}  // namespace nestgrad
