#pragma once

#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A factor for every tensor of a set, as used by the settings of a training
/// rule. Either one scalar for all tensors or, for each, a tensor that
/// broadcasts against it (one number per layer, per tensor, per weight or per
/// particle). Keeps the tape of its numbers.
class Scale {
 public:
  explicit Scale(Tensor one) : factors_{std::move(one)} {}
  explicit Scale(std::vector<Tensor> each) : factors_(std::move(each)) {}

  /// The factor of tensor number i.
  const Tensor& operator[](std::size_t i) const {
    return factors_[factors_.size() == 1 ? 0 : i];
  }

  /// f of every factor.
  template <class F>
  Scale map(F&& f) const {
    std::vector<Tensor> out;
    for (const Tensor& t : factors_) out.push_back(f(t));
    return Scale(std::move(out));
  }

  Scale pow(double exponent) const;

  friend Scale operator-(double a, const Scale& s);
  friend Scale operator*(const Scale& a, const Scale& b);

 private:
  std::vector<Tensor> factors_;  // one for all, or one for each
};

ParameterSet operator*(const Scale& s, const ParameterSet& a);

/// a + s b, and a - s b.
ParameterSet add(const ParameterSet& a, const Scale& s, const ParameterSet& b);
ParameterSet subtract(const ParameterSet& a, const Scale& s,
                      const ParameterSet& b);

}  // namespace nestgrad
