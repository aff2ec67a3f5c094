#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nestgrad {

/// A stream of random words and how many of them are wanted.
struct PhiloxStream {
  std::uint64_t key;
  std::int64_t count;
};

/// `count`, rounded up to whole blocks of four words.
constexpr std::int64_t whole_blocks(std::int64_t count) {
  return (count + 3) / 4 * 4;
}

/// The words of several streams, one stream after the other, whole_blocks() of
/// each, computed by tensor operators on `device`: int64 in [0, 2^32).
///
/// Philox4x32-10 (Salmon et al. 2011), with the same words as at::Philox4_32
/// has for subsequence i / 1024 at number i.
at::Tensor philox_words(const std::vector<PhiloxStream>& streams,
                        const at::Device& device);

}  // namespace nestgrad
