#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nestgrad {

constexpr std::int64_t kWordsOfBlock = 4;

/// A stream of random words and which of them are wanted: `count` from word
/// `first` on, a multiple of kWordsOfBlock.
struct PhiloxStream {
  std::uint64_t key;
  std::int64_t count;
  std::int64_t first = 0;
};

/// `count`, rounded up to whole blocks.
constexpr std::int64_t whole_blocks(std::int64_t count) {
  return (count + kWordsOfBlock - 1) / kWordsOfBlock * kWordsOfBlock;
}

/// The words of several streams, one stream after the other, whole_blocks() of
/// each, computed by tensor operators on `device`: int64 in [0, 2^32).
///
/// Philox4x32-10 (Salmon et al. 2011), with the same words as at::Philox4_32
/// has for subsequence i / 1024 at number i.
at::Tensor philox_words(const std::vector<PhiloxStream>& streams,
                        const at::Device& device);

}  // namespace nestgrad
