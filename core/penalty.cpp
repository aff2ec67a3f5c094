#include "core/penalty.h"

#include <ATen/ATen.h>

#include "core/hyperparameter.h"

namespace nestgrad {

Tensor l2_penalty(const ParameterSet& weights, const Tensor& decay) {
  if (decay.numel() == 1) {
    const Tensor& whole = weights.whole();
    const Tensor squares =
        whole.defined() ? at::dot(whole, whole) : dot(weights, weights);
    return (0.5 * as_scalar(decay)) * squares;
  }
  const std::vector<Tensor> factors = spread(decay, weights);
  Tensor sum;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor w = weights.tensors()[i].reshape(-1);
    const Tensor& d = factors[i];
    const Tensor part =
        d.dim() == 0 ? d * at::dot(w, w) : at::dot(d.reshape(-1) * w, w);
    sum = sum.defined() ? sum + part : part;
  }
  return 0.5 * sum;
}

}  // namespace nestgrad
