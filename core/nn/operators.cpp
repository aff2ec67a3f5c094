#include "core/nn/operators.h"

#include <ATen/ATen.h>

#include "core/platform/batched_product.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {

Tensor matrix_products(const Tensor& a, const Tensor& b) {
  // batched_product() is faster, but has no forward-mode derivative.
  if (is_dual(a) || is_dual(b)) return at::matmul(a, b);
  return batched_product(a.flatten(0, -3), b.flatten(0, -3))
      .unflatten(0, a.sizes().slice(0, static_cast<std::size_t>(a.dim()) - 2));
}

Tensor softmax(const Tensor& logits) {
  const Tensor x = at_least_float32(logits);
  // The tangent of LibTorch's softmax cannot be differentiated.
  if (!is_dual(x)) return x.softmax(-1);
  const Tensor e = (x - primal(x).amax(-1, true)).exp();
  return e / e.sum(-1, true);
}

Tensor at_least_float32(const Tensor& x) {
  return x.to(at::promoteTypes(x.scalar_type(), at::kFloat));
}

}  // namespace nestgrad
