#pragma once

#include <cstdint>
#include <string>

namespace nestgrad {

/// How many cores this process may keep busy, at least 1: those that it may run
/// on (taskset, a cpuset, Slurm), or fewer if its control group limits its
/// processor time. The number of cores of the machine does not count. `root`:
/// where /proc and /sys are found, for tests.
int available_cores(const std::string& root = "");

/// The processor time that the control groups of this process allow, in cores
/// and rounded up; 0 if they do not limit it.
int cores_of_control_group(const std::string& root = "");

/// Sets the number of threads of LibTorch and of BLAS to `n`. REQUIRES that
/// nothing is being computed.
///
/// An OpenBLAS with its own thread pool (not OpenMP) would compete with
/// LibTorch for the cores. Beside it, LibTorch gets one thread.
void use_threads(int n);

/// During its life the threads are LibTorch's: LibTorch splits its operators
/// over `n` threads and each BLAS product uses one. That is faster for many
/// small products (batched_product()) and the operators between them.
///
/// For the thread that called use_threads(), while no other thread computes.
/// May be nested.
class SplitOperators {
 public:
  /// Does nothing if tensors of this many numbers are too small to split.
  explicit SplitOperators(std::int64_t numbers);
  ~SplitOperators();
  SplitOperators(const SplitOperators&) = delete;
  SplitOperators& operator=(const SplitOperators&) = delete;

 private:
  bool split_;
};

}  // namespace nestgrad
