#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nestgrad {

using at::Tensor;

/// The losses L+ and L- of M antithetic pairs in one window. A pair with a loss
/// that is not finite is left out: it counts as zero in every sum.
class PairLosses {
 public:
  /// `all`: [2 M], every L+ and then every L-. `before`: [M], L+ - L- of the
  /// window before; a pair where it is not finite is left out, too. Both are on
  /// the CPU, in double precision.
  PairLosses(const Tensor& all, const Tensor& before);

  /// How many of the M pairs are not left out.
  double kept() const { return static_cast<double>(kept_); }

  /// How many particles are left out, two for each pair.
  double particles_lost() const;

  /// L+ - L- of each pair, [M], as they are and with 0 for those left out.
  const Tensor& raw_difference() const { return raw_difference_; }
  Tensor difference() const { return masked(raw_difference_); }

  /// `of_pairs`, [M], with 0 for the pairs that are left out.
  Tensor masked(const Tensor& of_pairs) const;

  /// The standard deviation of the losses that are not left out.
  double deviation() const;

 private:
  Tensor all_;                // [2 M]
  Tensor raw_difference_;     // [M]
  std::vector<bool> finite_;  // [M]
  std::int64_t kept_;
};

}  // namespace nestgrad
