#include "experiments/problems/kernel_ridge.h"

#include <ATen/ATen.h>

namespace nestgrad {

Tensor kernel_ridge(const Tensor& features, const Tensor& learned,
                    const Tensor& targets, double lambda) {
  const Tensor s = learned.to(at::kDouble);
  const Tensor kernel = at::mm(s, s.t());
  const auto m = static_cast<double>(s.size(0));
  const Tensor matrix =
      kernel + lambda / m * kernel.trace() * at::eye(s.size(0), s.options());
  const auto [root, info] = at::linalg_cholesky_ex(matrix);
  const Tensor answer = at::cholesky_solve(targets.to(at::kDouble), root);
  // phi(x) phi_s' A^-1 Y_s from right to left: [features, outputs] in between.
  const Tensor layer = at::mm(s.t(), answer);
  const Tensor out = at::mm(features, layer.to(features.scalar_type()));
  return at::where(info == 0, out, at::full_like(out, NAN));
}

}  // namespace nestgrad
