#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nestgrad {

using at::Tensor;

/// Numbers x of a recurrent state, zero at first, with an update that forgets a
/// part of them and can be undone bit by bit (MacKay, Vicol, Ba and Grosse
/// 2018, "Reversible recurrent neural networks"):
///
///   x <- keep x + add
///
/// x is a whole number c of units 2^-fraction_bits, and keep is a whole number
/// n of d = 1024ths, from 1 to d. A product with n / d pushes log2(d / n) bits
/// out of x. With a whole number i >= d for each c, they are kept:
///
///   i <- i d + c mod d,   c <- c div d
///   c <- c n + i mod n,   i <- i div n
///
/// and undo() is the same backwards. (div rounds down, mod is never negative.)
/// A product is within n units of the true one.
///
/// Before i could reach 2^32 d, which is where i >= 2^32 n, its 32 lower bits
/// go to a stack. What is left is below d, and nothing else ever is: so undo()
/// knows when to take them back, and no flag is stored (this is the
/// renormalization of asymmetric numeral systems; Duda 2013).
///
/// The numbers live on the CPU; keep and add may be elsewhere. If one of these
/// is infinite or NaN, all values are NaN from then on, and no update can be
/// undone.
class ReversibleState {
 public:
  static constexpr int kFactorBits = 10;

  /// 23 as in the paper, so that float32 holds what is below 2; 46 in float64.
  static int fraction_bits(at::ScalarType type);

  /// Zeros of these sizes, that values() gives with these options.
  ReversibleState(at::IntArrayRef sizes, const at::TensorOptions& options);

  /// A copy shares the stack, which nobody writes into.
  ReversibleState(const ReversibleState& other);
  ReversibleState& operator=(const ReversibleState&) = delete;

  /// The nearest factor that there is: a multiple of 1/1024, at least that.
  static Tensor nearest_factor(const Tensor& keep);

  /// x <- keep x + add, rounded. keep: results of nearest_factor().
  void update(const Tensor& keep, const Tensor& add);

  /// Undoes the last update() that is not undone yet; REQUIRES its arguments.
  void undo(const Tensor& keep, const Tensor& add);

  Tensor values() const;

  /// Whether all arguments were numbers.
  bool finite() const { return finite_; }

  /// Whether it is as at the beginning, which shows that all arguments of
  /// undo() were those of update().
  bool at_beginning() const;

  /// The bits that have been pushed out and are kept, in units of information:
  /// log2(i / d) of all numbers, and the stack.
  double bits() const;

 private:
  at::TensorOptions options_;
  double units_;  // in 1
  bool finite_ = true;
  Tensor c_, i_;               // int64
  std::vector<Tensor> stack_;  // int32, of each update; undefined if none
};

}  // namespace nestgrad
