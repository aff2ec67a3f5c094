#pragma once

#include <cstdint>
#include <vector>

#include "core/config/config.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// The rows of a source that go into each part.
struct Cut {
  /// Of the source's training part or, if the source has such a part itself, of
  /// that part; undefined: all rows of it.
  Tensor train, valid, test;
  bool own_valid = false, own_test = false;
};

/// Draws the rows of each part as "train", "valid", "test", "stratify" and
/// "split_seed" say; `key` counts if that seed is left out. The rows of the
/// test set do not depend on the sizes of the other parts, those of the
/// validation set not on the size of the training set. Throws ConfigError if
/// the source has too few examples.
Cut draw_cut(const Config& data, const Examples& examples, const Key& key);

/// Divides `n` examples among classes in proportion to their `counts`: quotas
/// n counts_k / sum(counts) are rounded down, and what is left goes to the
/// largest remainders, of equal ones to the first. No class gets fewer than
/// least_k or more than most_k. REQUIRES sum(least) <= n <= sum(most).
std::vector<std::int64_t> in_proportion(std::int64_t n,
                                        const std::vector<std::int64_t>& counts,
                                        const std::vector<std::int64_t>& least,
                                        const std::vector<std::int64_t>& most);

}  // namespace nestgrad
