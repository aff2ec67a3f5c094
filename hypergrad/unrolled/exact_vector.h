#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nestgrad {

using at::Tensor;

/// A factor in (0, 1], in lowest terms.
struct Ratio {
  static constexpr std::int64_t kMaxDenominator = 1 << 16;

  std::int64_t numerator = 1;
  std::int64_t denominator = 1;

  /// The simplest one that is `value` to the precision of a double (9/10 for
  /// 0.9), if its denominator is in bounds; otherwise the nearest that is,
  /// which is within 2^-32 of most and within 2^-16 of all. REQUIRES 0 < value
  /// <= 1.
  static Ratio near(double value);

  double value() const;
};

/// Real numbers as whole multiples of 2^-52, so that what is added can be taken
/// away again without a trace (Maclaurin, Duvenaud and Adams 2015).
///
/// Numbers must be less than 2048 in absolute value. One that is not sets
/// overflowed() for good; it wraps around, so that steps can be undone even
/// then. The numbers live on the CPU; tensors may be elsewhere.
class ExactVector {
 public:
  static constexpr int kFractionBits = 52;

  /// [x], the multiples next to x towards zero.
  explicit ExactVector(const Tensor& x);
  ExactVector(const ExactVector& other)
      : units_(other.units_.clone()),
        options_(other.options_),
        overflowed_(other.overflowed_) {}
  ExactVector& operator=(const ExactVector&) = delete;

  /// The numbers, in the floating-point type, shape and device of x.
  Tensor values() const;

  // [.] is as above.
  void add(const Tensor& x) { move_by(1, x); }                    // + [x]
  void subtract(const Tensor& x) { move_by(-1, x); }              // - [x]
  void add(double s, const ExactVector& v) { move_by(1, s, v); }  // + [s v]
  void subtract(double s, const ExactVector& v) { move_by(-1, s, v); }

  bool overflowed() const { return overflowed_; }

  /// How many units of 2^-52, in int64.
  const Tensor& units() const { return units_; }

  friend bool operator==(const ExactVector& a, const ExactVector& b);

 private:
  friend class BitBuffer;
  void move_by(std::int64_t sign, const Tensor& x);
  void move_by(std::int64_t sign, double s, const ExactVector& v);

  Tensor units_;
  at::TensorOptions options_;
  bool overflowed_ = false;
};

/// The bits that products of an ExactVector x with factors n / d in (0, 1]
/// push out of it. With a whole number i >= 0 for each of its numbers c,
///
///   multiply:  i <- i d + c mod d,   c <- c div d
///              c <- c n + i mod n,   i <- i div n
///
/// and divide is the same with n and d exchanged, which undoes it: both lines
/// are one-to-one. (div rounds down, mod is never negative.) A product adds
/// log2(d / n) bits to i, and is within n units of the true one.
///
/// When i could outgrow its 64-bit word, the 16 lower bits of all i are put on
/// a stack; they are full, so the space that is taken is close to the bits that
/// there are. When that is depends on a bound for i only.
class BitBuffer {
 public:
  /// For vectors like x.
  explicit BitBuffer(const ExactVector& x);
  BitBuffer(const BitBuffer&) = delete;
  BitBuffer& operator=(const BitBuffer&) = delete;

  void multiply(ExactVector& x, const Ratio& ratio);

  /// Undoes the last multiply() that is not undone yet, of this ratio.
  void divide(ExactVector& x, const Ratio& ratio);

  /// Whether it is as at the beginning.
  bool empty() const;

  /// Bits in it: those on the stack, and the binary digits of all i.
  std::int64_t bits() const;

 private:
  static constexpr int kSpilledBits = 16;

  struct Spill {
    std::int64_t product;  // before which one it was made
    std::int64_t bound;    // on i, before it was made
    Tensor low;            // the lower bits of all i, in int16
  };
  void spill();
  void unspill();

  Tensor i_;
  std::int64_t bound_ = 0;     // on all i
  std::int64_t products_ = 0;  // that are not undone
  std::vector<Spill> spills_;
};

}  // namespace nestgrad
