#pragma once

#include <cstdint>

namespace nestgrad {

/// Settles how many threads compute in this process: `n` for LibTorch and for
/// BLAS together. Not while something is computed.
///
/// An OpenBLAS with threads of its own (not OpenMP's) fights with LibTorch's
/// for the cores, so beside such a one LibTorch itself gets one.
void use_threads(int n);

/// While one lives it is the other way round: LibTorch splits its operators
/// between the threads and every product of BLAS has one. That suits many small
/// products (batched_product()) and what is computed between them.
///
/// For the thread that called use_threads(), with nothing computed in others.
/// They may be nested.
class SplitOperators {
 public:
  /// Does nothing where tensors have too few `numbers` for splitting to help.
  explicit SplitOperators(std::int64_t numbers);
  ~SplitOperators();
  SplitOperators(const SplitOperators&) = delete;
  SplitOperators& operator=(const SplitOperators&) = delete;

 private:
  bool split_;
};

}  // namespace nestgrad
