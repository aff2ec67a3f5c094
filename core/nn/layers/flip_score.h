#pragma once

#include <ATen/ATen.h>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Of one affine map, sum w (*) dW (*) r s' + sum b (*) db (*) r for every
/// example; see Layer::score(). `r`: [examples, out], `s`: [examples, in]. What
/// a weight has beyond [out, in] is space, over which signs are constant.
/// Without a bias `b` and `db` are undefined.
inline Tensor flip_score(const Tensor& w, const Tensor& dw, const Tensor& b,
                         const Tensor& db, const Tensor& r, const Tensor& s) {
  Tensor product = w * dw;
  if (product.dim() > 2) product = product.flatten(2).sum(2);
  const Tensor score = (r * at::mm(s, product.t())).sum(1);
  return b.defined() ? score + at::mv(r, b * db) : score;
}

}  // namespace nestgrad
