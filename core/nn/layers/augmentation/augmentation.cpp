#include "core/nn/layers/augmentation/augmentation.h"

#include <ATen/ATen.h>

namespace nestgrad {

Schema with_same_key(Schema schema) {
  return schema.boolean(
      "same", false,
      "One draw for all examples of a batch; else each has its own.");
}

Tensor Noise::symmetric(const Tensor& x) const {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(axes) + 1, 1);
  if (!same) sizes[0] = x.size(-axes - 1);
  const std::int64_t first = same ? 0 : part.first_number(sizes[0]);
  return 2 * key.uniform(x.new_empty(sizes), first) - 1;
}

Tensor Noise::uniform(const Tensor& x) const {
  return 0.5 * (symmetric(x) + 1);
}

Tensor Noise::factor(const Tensor& x, const Tensor& s) const {
  const Tensor u = uniform(x);
  return 1 / (1 + s) * (1 - u) + (1 + s) * u;
}

Tensor Noise::normal(const Tensor& x) const {
  const Tensor one = x.dim() > axes + 1 ? x.select(0, 0) : x;
  if (same) return key.normal(one.narrow(0, 0, 1));
  return key.normal(one, part.first_number(one.numel()));
}

}  // namespace nestgrad
