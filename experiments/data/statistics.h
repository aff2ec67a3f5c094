#pragma once

#include <functional>

#include "core/dataset.h"

namespace nestgrad {

/// Calls f with all inputs of a data set, once. Those that stay in a file come
/// in pieces of a few megabytes, in the order of the file. `examples` are the
/// numbers of the examples of a piece; undefined if it is all of them in order.
void each_piece(
    const Dataset& data,
    const std::function<void(const Tensor& inputs, const Tensor& examples)>& f);

/// Of each index of dimension 1 of the inputs, over all examples and all other
/// dimensions, which have size 1 in the result.
struct InputStatistics {
  Tensor deviation, mean;
};

/// Inputs in a file give the same bits as in memory if they would take at most
/// `whole` bytes there. Larger ones are read in pieces, and the moments of
/// these are put together in double precision (Chan, Golub and LeVeque 1983).
InputStatistics statistics(const Dataset& data,
                           std::int64_t whole = std::int64_t{256} << 20);

}  // namespace nestgrad
