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
/// LibTorch for the cores. Beside it, only one of the two has n threads at a
/// time, and the other has one: BLAS at first.
void use_threads(int n);

/// The `n` of use_threads(); 1 before.
int threads_in_use();

/// Gives the threads to LibTorch's operators from here on, if convolutions that
/// compute this many numbers are worth it, and otherwise to BLAS: convolutions
/// are LibTorch's own, products of matrices are BLAS's. Networks say so before
/// each pass, and what differentiates the pass comes after it.
///
/// For the thread that called use_threads(), while no other thread computes.
/// Does nothing during the life of a SplitOperators.
void give_threads_to_convolutions(std::int64_t numbers);

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
  bool splits_;
  bool before_;  // whether operators were split
};

}  // namespace nestgrad
